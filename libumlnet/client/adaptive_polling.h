// Waiting for frames that come shortly after each other: asking again for a little while before sleeping, as the kernel
// does for its own devices (halt polling, SO_BUSY_POLL). A process that sleeps runs some 10 to 40 us after it is woken,
// the most of it on a virtual processor; moving a frame takes 4.
//
// It pays only while they do come, so that the last wait decides about the next: after one that was long there is no
// asking again, until one was short. An idle process sleeps. Between two questions whoever else waits for the processor
// has it (sched_yield): that may be the one who is to send the next frame.
#pragma once

#include <sched.h>

#include <chrono>

namespace umlnet {

// `Clock` is a monotonic one, of the standard library's form.
template <class Clock>
class AdaptivePollingBy {
 public:
  // Asks again for so long, and after waits of less than that. Not at all without another processor: whoever is to send
  // the next frame would wait for us.
  AdaptivePollingBy(bool has_processors, std::chrono::microseconds longest)
      : longest_(has_processors ? longest : std::chrono::microseconds{0}) {}

  // Waits by `poll`, which takes a timeout, 0 (not at all) or -1 (for as long as it takes), and returns what poll()
  // returns.
  template <class Poll>
  int wait(Poll poll) {
    if (pays_)
      if (const int ready = poll(0); ready != 0) return ready;
    const auto began = Clock::now();
    while (pays_ && Clock::now() - began < longest_) {
      ::sched_yield();
      if (const int ready = poll(0); ready != 0) return ready;
    }
    return sleep(poll, began);
  }

  // The same, without asking again this time.
  template <class Poll>
  int sleep(Poll poll) {
    return sleep(poll, Clock::now());
  }

 private:
  template <class Poll>
  int sleep(Poll poll, typename Clock::time_point began) {
    const int ready = poll(-1);
    pays_ = Clock::now() - began < longest_;
    return ready;
  }

  std::chrono::microseconds longest_;
  bool pays_ = false;
};

using AdaptivePolling = AdaptivePollingBy<std::chrono::steady_clock>;

}  // namespace umlnet
