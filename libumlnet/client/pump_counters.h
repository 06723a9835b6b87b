// What a pump counts, in memory that it may share with another process: umlnet_direction and umlnet_counters, number by
// number.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "umlnet/umlnet.h"

namespace umlnet::client {

// Written by one thread, read by any.
class Counter {
 public:
  void add(std::uint64_t by = 1) { value_.store(get() + by, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_;
  static_assert(decltype(value_)::is_always_lock_free);
};

// Each may have a thread of its own: none writes to a line of the cache that the other one uses.
inline constexpr std::size_t kCacheLine = 64;

struct alignas(kCacheLine) DirectionCounters {
  Counter frames, bytes, too_short, too_long, malformed, refused, segmented, checksums, waits;

  std::uint64_t dropped() const { return too_short.get() + too_long.get() + malformed.get() + refused.get(); }
  umlnet_direction get() const {
    return {.frames = frames.get(),
            .bytes = bytes.get(),
            .too_short = too_short.get(),
            .too_long = too_long.get(),
            .malformed = malformed.get(),
            .refused = refused.get(),
            .segmented = segmented.get(),
            .checksums = checksums.get(),
            .waits = waits.get()};
  }
};

struct PumpCounters {
  DirectionCounters a_to_b, b_to_a;
  Counter captured, not_captured;

  umlnet_counters get() const { return {a_to_b.get(), b_to_a.get(), captured.get(), not_captured.get()}; }
};

}  // namespace umlnet::client
