// A TAP device as an end of a pump: IFF_TAP | IFF_NO_PI, with or without IFF_VNET_HDR; one frame a read or write.
#pragma once

#include <array>

#include "libumlnet/client/frame_arena.h"
#include "libumlnet/client/frame_end.h"

namespace umlnet::client {

class TapEnd final : public FrameEnd {
 public:
  // `fd` is borrowed, and O_NONBLOCK.
  TapEnd(int fd, unsigned vnet_hdr);

  std::size_t prefix() const override { return vnet_hdr(); }
  std::size_t longest() const override { return kLongestFrame; }
  // One, so that a frame goes on while the processor still has it at hand.
  std::size_t at_once() const override { return 1; }
  EndState read(FrameBatch& batch, std::size_t most, std::size_t gap, DirectionCounters& counters) override;
  EndState write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) override;
  short gone_events() const override { return POLLERR | POLLHUP; }

 private:
  FrameArena arena_;
};

}  // namespace umlnet::client
