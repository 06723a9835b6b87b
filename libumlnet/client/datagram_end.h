// A connected datagram or sequenced-packet socket as an end of a pump: one frame each, with a little before it.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <vector>

#include "libumlnet/client/frame_end.h"

namespace umlnet::client {

class DatagramEnd final : public FrameEnd {
 public:
  // QEMU's -netdev dgram: AF_UNIX, or UDP; and the socket of a sealed device, AF_UNIX SOCK_SEQPACKET. `fd` is borrowed,
  // as in the other.
  static std::unique_ptr<DatagramEnd> plain(int fd, unsigned vnet_hdr);
  // The data socket of an ethertap session, AF_UNIX: 2 bytes of padding before each frame.
  static std::unique_ptr<DatagramEnd> ethertap(int fd);

  std::size_t prefix() const override { return padding_ + vnet_hdr(); }
  std::size_t longest() const override { return longest_; }
  std::size_t at_once() const override { return kBurst; }
  EndState read(FrameBatch& batch, std::size_t most, std::size_t gap, DirectionCounters& counters) override;
  EndState write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) override;
  // A datagram socket whose peer was closed does not show it in poll(), nor in reading: the next write does. One of
  // sequenced packets shows it behind the last of them, as a packet of no bytes.
  short gone_events() const override { return shows_its_end_ ? 0 : POLLHUP | POLLRDHUP; }
  short readable_events() const override { return shows_its_end_ ? POLLIN : POLLIN | POLLRDHUP; }

 private:
  DatagramEnd(int fd, unsigned vnet_hdr, std::size_t padding, std::size_t longest);
  std::uint8_t* slot(std::size_t index) const { return &memory_[index * slot_size_]; }

  std::size_t padding_, longest_, slot_size_;
  bool local_;          // AF_UNIX
  bool shows_its_end_;  // SOCK_SEQPACKET
  std::unique_ptr<std::uint8_t[]> memory_;
  std::vector<iovec> parts_;
  std::vector<mmsghdr> messages_;
};

}  // namespace umlnet::client
