// Time since the machine was booted (CLOCK_BOOTTIME, clock_gettime(2)). Unlike the other clocks it goes on while the
// machine sleeps, and nobody can set it.
#pragma once

#include <chrono>
#include <ctime>

namespace umlnet {

inline std::chrono::nanoseconds boot_time() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace umlnet
