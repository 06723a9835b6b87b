// Functions of the host program as an end of a pump.
#pragma once

#include "libumlnet/client/frame_arena.h"
#include "libumlnet/client/frame_end.h"
#include "umlnet/umlnet.h"

namespace umlnet::client {

class CallbackEnd final : public FrameEnd {
 public:
  // Of `end`: fd, read, write and user.
  explicit CallbackEnd(const umlnet_end& end);

  std::size_t prefix() const override { return 0; }
  std::size_t longest() const override { return kLongestFrame; }
  std::size_t at_once() const override { return 1; }
  EndState read(FrameBatch& batch, std::size_t most, std::size_t gap, DirectionCounters& counters) override;
  EndState write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) override;
  short gone_events() const override { return 0; }
  bool is_timed() const override { return true; }

 private:
  decltype(umlnet_end::read) read_;
  decltype(umlnet_end::write) write_;
  void* user_;
  FrameArena arena_;
};

}  // namespace umlnet::client
