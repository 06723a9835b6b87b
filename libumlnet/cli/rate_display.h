// How fast a pump moves frames: one line on a terminal, written over once a second.
#pragma once

#include <chrono>
#include <string>

#include "umlnet/umlnet.h"

namespace umlnet::cli {

// "9.9k", or "9.9 k" where `between` is a space: at most four characters and that, for any value.
std::string short_number(double value, const char* between = "");

class RateDisplay {
 public:
  // Shows nothing where `shown` is false.
  explicit RateDisplay(bool shown) : shown_(shown) {}
  ~RateDisplay();

  // Milliseconds until the next line is due; -1: never.
  int timeout_ms() const;
  void show(const umlnet_counters& counters);

 private:
  using Clock = std::chrono::steady_clock;

  bool shown_;
  bool begun_ = false;
  Clock::time_point last_time_ = Clock::now();
  umlnet_counters last_ = {};
};

}  // namespace umlnet::cli
