#include "libumlnet/client/pump_direction.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

namespace {

using namespace umlnet::client;

// Has `frames` to give, and takes up to `room` of them.
class CountingEnd final : public FrameEnd {
 public:
  CountingEnd() : FrameEnd(-1, 0) {}
  std::size_t frames = 0, room = 0;

  std::size_t prefix() const override { return 0; }
  std::size_t longest() const override { return kLongestFrame; }
  std::size_t at_once() const override { return kBurst; }
  EndState read(FrameBatch& batch, std::size_t most, std::size_t /*gap*/, DirectionCounters& /*counters*/) override {
    const std::size_t count = std::min(most, frames);
    for (std::size_t i = 0; i < count; ++i) batch.add({.data = &frame_[kLongestPrefix], .size = kShortestFrame});
    frames -= count;
    return {.flow = count == most ? EndState::more : EndState::wait};
  }
  EndState write(std::span<const Frame> given, std::size_t& taken, DirectionCounters& /*counters*/) override {
    taken = std::min(given.size(), room);
    room -= taken;
    return {.flow = taken == given.size() ? EndState::more : EndState::wait};
  }
  short gone_events() const override { return 0; }

 private:
  std::array<std::uint8_t, kLongestPrefix + kShortestFrame> frame_{};
};

}  // namespace

TEST_CASE("pump direction: it is behind while there are more frames than it moves at once, and room for them") {
  CountingEnd from, to;
  const auto counters = std::make_unique<DirectionCounters>();
  PumpDirection direction(from, to, 0, *counters, nullptr, CaptureWay::from_a);
  CHECK_FALSE(direction.is_behind());

  from.frames = kBurst / 2;
  to.room = 1000;
  direction.move();
  CHECK(from.frames == 0);
  CHECK_FALSE(direction.is_behind());

  from.frames = 3 * kBurst;
  direction.move();
  CHECK(direction.is_behind());
  for (int i = 0; i < 3; ++i) direction.move();
  CHECK(from.frames == 0);
  CHECK_FALSE(direction.is_behind());

  from.frames = 3 * kBurst;
  to.room = kBurst / 2;
  direction.move();
  CHECK(direction.waits());
  CHECK_FALSE(direction.is_behind());
}
