// A stream socket as an end of a pump: before each frame its length (QEMU's -netdev stream), which counts the
// virtio-net header where there is one.
#pragma once

#include <memory>

#include "libumlnet/client/frame_end.h"
#include "libumlnet/client/qemu_stream.h"

namespace umlnet::client {

class StreamEnd final : public FrameEnd {
 public:
  // `fd` is borrowed.
  StreamEnd(int fd, unsigned vnet_hdr);

  std::size_t prefix() const override { return kQemuStreamHeader + vnet_hdr(); }
  std::size_t longest() const override { return kQemuLongestFrame - vnet_hdr(); }
  std::size_t at_once() const override { return kBurst; }
  EndState read(FrameBatch& batch, std::size_t most, std::size_t gap, DirectionCounters& counters) override;
  EndState write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) override;
  // Its end is read, behind the last frame.
  short gone_events() const override { return 0; }

 private:
  void decode(FrameBatch& batch, std::size_t most, DirectionCounters& counters);
  std::uint8_t* put_prefix(const Frame& frame) const;
  // How many of `frames` lie in memory just as they go over the wire.
  std::size_t in_one_piece(std::span<const Frame> frames) const;
  std::size_t gather(std::span<const Frame> frames, std::size_t& size);

  std::unique_ptr<std::uint8_t[]> received_, gathered_;
  QemuStreamDecoder decoder_;
  bool filled_ = false;     // the last recv() filled all the room: there may be more
  std::size_t partly_ = 0;  // bytes of the next frame to be written, its prefix included, that are out already
};

}  // namespace umlnet::client
