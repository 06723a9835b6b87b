// Durations of many requests in little memory: counted in steps of 3 % and less, so that a percentile is off by half of
// that at the most. Below 64 microseconds, and for the longest of all, it is exact.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace umlnet::cli {

class Latencies {
 public:
  void add(std::uint64_t microseconds);
  void add(const Latencies& others);

  // The duration that `percent` of them do not exceed; nothing where there is none.
  std::optional<std::uint64_t> percentile(unsigned percent) const;
  std::optional<std::uint64_t> longest() const;

 private:
  std::map<std::uint32_t, std::uint64_t> steps_;  // how many are in which
  std::uint64_t count_ = 0, longest_ = 0;
};

}  // namespace umlnet::cli
