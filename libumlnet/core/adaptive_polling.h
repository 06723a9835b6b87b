// Waiting for frames that come shortly after each other: asking again for a little while before sleeping, as the kernel
// does for its own devices (halt polling, SO_BUSY_POLL). A process that sleeps runs some 10 to 40 us after it is woken,
// the most of it on a virtual processor; moving a frame takes 4.
//
// It pays only while they do come, so that the last wait decides about the next: after one that was longer than
// kLongest there is no asking again, until one was shorter. An idle process sleeps.
#pragma once

#include <chrono>

namespace umlnet {

// `Clock` is a monotonic one, of the standard library's form.
template <class Clock>
class AdaptivePollingBy {
 public:
  static constexpr std::chrono::microseconds kLongest{50};

  // Without another processor, whoever is to send the next frame would wait for us.
  explicit AdaptivePollingBy(bool has_processors) : has_processors_(has_processors) {}

  // Waits by `poll`, which takes a timeout, 0 (not at all) or -1 (for as long as it takes), and returns what poll()
  // returns.
  template <class Poll>
  int wait(Poll poll) {
    if (pays_)
      if (const int ready = poll(0); ready != 0) return ready;
    const auto began = Clock::now();
    while (pays_ && Clock::now() - began < kLongest)
      if (const int ready = poll(0); ready != 0) return ready;
    const int ready = poll(-1);
    pays_ = has_processors_ && Clock::now() - began < kLongest;
    return ready;
  }

 private:
  bool has_processors_;
  bool pays_ = false;
};

using AdaptivePolling = AdaptivePollingBy<std::chrono::steady_clock>;

}  // namespace umlnet
