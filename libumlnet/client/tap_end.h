// A TAP device as an end of a pump: IFF_TAP | IFF_NO_PI, with or without IFF_VNET_HDR; one frame a read or write.
#pragma once

#include <sys/uio.h>

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
  // Reading and writing are long ways through the kernel, and each begins where the one before has left the
  // instructions. Writing also wakes whoever the frames are for: the more of them follow each other, the fewer times it
  // finds nothing and sleeps again.
  std::size_t at_once() const override { return kBurst; }
  bool reads_singly() const override { return true; }
  bool takes_joined() const override { return vnet_hdr() != 0; }
  EndState read(FrameBatch& batch, std::size_t most, std::size_t gap, DirectionCounters& counters) override;
  EndState write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) override;
  short gone_events() const override { return POLLERR | POLLHUP; }

 private:
  ssize_t write_frame(std::span<const Frame> joined);

  // Reading and writing have nothing in common: they may be done by two threads.
  alignas(kCacheLine) FrameArena arena_;
  alignas(kCacheLine) std::array<iovec, kBurst> parts_{};  // of joined frames
};

}  // namespace umlnet::client
