// Waiting for something that somebody else will be done with in a moment.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>

namespace umlnet {

// Calls `attempt` until it returns true or `patience` is over, with short sleeps in between: poll() on nothing, which
// the seccomp filter of the change knows. Returns what the last call did.
template <class Attempt>
bool retry_for(std::chrono::milliseconds patience, Attempt attempt) {
  constexpr int kFirstSleep = 1, kLongestSleep = 16;  // milliseconds
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (int sleep = kFirstSleep;; sleep = std::min(2 * sleep, kLongestSleep)) {
    if (attempt()) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, sleep);
  }
}

}  // namespace umlnet
