// A moment by which something must be done.
#pragma once

#include <algorithm>
#include <chrono>
#include <climits>
#include <optional>

namespace umlnet::client {

class Deadline {
 public:
  // `milliseconds` from now; never, where negative.
  static Deadline in(int milliseconds) {
    Deadline deadline;
    if (milliseconds >= 0) deadline.at_ = Clock::now() + std::chrono::milliseconds(milliseconds);
    return deadline;
  }

  bool passed() const { return at_ && Clock::now() >= *at_; }

  // As poll() takes it; never less than a millisecond before it has passed.
  int milliseconds_left() const {
    if (!at_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*at_ - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, INT_MAX));
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> at_;
};

}  // namespace umlnet::client
