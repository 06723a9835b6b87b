#include "libumlnet/cli/latencies.h"

#include <algorithm>
#include <bit>

namespace umlnet::cli {
namespace {

constexpr unsigned kBits = 5;  // of a number behind its first one bit that are told apart

// Numbers of up to kBits + 1 bits are a step each; of longer ones, all with the same length and first kBits + 1 bits.
std::uint32_t step_of(std::uint64_t value) {
  const auto length = static_cast<unsigned>(std::bit_width(value));
  if (length <= kBits + 1) return static_cast<std::uint32_t>(value);
  const unsigned dropped = length - kBits - 1;
  return (dropped << (kBits + 1)) + static_cast<std::uint32_t>(value >> dropped);
}

// In the middle of it.
std::uint64_t value_of(std::uint32_t step) {
  const unsigned dropped = step >> (kBits + 1);
  const std::uint64_t first = std::uint64_t{step & ((1U << (kBits + 1)) - 1)} << dropped;
  return dropped == 0 ? first : first + (std::uint64_t{1} << (dropped - 1));
}

}  // namespace

void Latencies::add(std::uint64_t microseconds) {
  ++steps_[step_of(microseconds)];
  ++count_;
  longest_ = std::max(longest_, microseconds);
}

void Latencies::add(const Latencies& others) {
  for (const auto& [step, count] : others.steps_) steps_[step] += count;
  count_ += others.count_;
  longest_ = std::max(longest_, others.longest_);
}

std::optional<std::uint64_t> Latencies::percentile(unsigned percent) const {
  std::uint64_t left = (count_ * percent + 99) / 100;
  if (left == count_) return longest();
  for (const auto& [step, count] : steps_) {
    if (count >= left) return std::min(value_of(step), longest_);
    left -= count;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Latencies::longest() const { return count_ != 0 ? std::optional(longest_) : std::nullopt; }

}  // namespace umlnet::cli
