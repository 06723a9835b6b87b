// Segmentation that a sender left to be done (gso_type of virtio_net_header.h), done in software: one frame of up to
// 64 KiB becomes the frames that travel.
//
// TCP over IPv4 and IPv6, each segment with gso_size bytes of payload, the last with the rest:
//   sequence number  moves on by the payload before (RFC 9293)
//   FIN, PSH         on the last segment only
//   CWR              on the first segment only: one answer to one congestion mark (RFC 3168, 6.1.2)
// UDP (USO), each datagram with gso_size bytes of payload: its length follows.
// Both: IPv4 total length, header checksum, and an identification that counts up; IPv6 payload length; the checksum.
//
// Fragmentation of one UDP datagram over IPv4 (UFO): gso_size is bytes of IP payload, rounded down to a multiple of 8.
// The checksum is finished first, the identification stays, Don't Fragment goes, and only the first fragment keeps
// options that are not to be copied (RFC 791, 3.1). Over IPv6 it is not supported.
//
// A checksum follows from the sum of the pseudo header that the sender has left in its field, as in Linux's own
// segmentation: so it is also right where source routing makes the address in the header not the one that is summed. A
// sender which leaves another sum there gets wrong checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "libumlnet/client/ip_headers.h"
#include "libumlnet/client/virtio_net_header.h"

namespace umlnet {

// Gives out the frames one by one, so that whoever sends them can stop and go on. It holds its place in the frame, not
// the frame.
class Segmenter {
 public:
  // The most frames from one. Linux takes no maximum segment size below 48 (TCP_MIN_SND_MSS), nor IPv4 an MTU below 68,
  // which both come to 1,366.
  static constexpr std::size_t kMostFrames = 2048;

  // `frame` is borrowed and must stay as it is until the last next(). `header` is the one that came with it. Without
  // segmentation (gso_type 0) the frame comes out once, with its checksum finished. Fails where the two do not fit
  // together; the frame should then be dropped.
  static std::expected<Segmenter, OffloadFault> of(std::span<const std::uint8_t> frame, const VirtioNetHeader& header);

  std::size_t frames() const { return frames_; }    // in all
  std::size_t longest() const { return longest_; }  // bytes that the longest of them takes
  bool done() const { return produced_ == frames_; }

  // Writes the next frame to the beginning of `out`, and returns its size. Returns 0, and stays where it is, where
  // `out` has less room than that, and when done. longest() bytes are always enough. `out` must not overlap the frame.
  std::size_t next(std::span<std::uint8_t> out);

 private:
  enum class Kind : std::uint8_t { whole, tcp, udp, ip_fragments };

  Segmenter(std::span<const std::uint8_t> frame, const VirtioNetHeader& header) : frame_(frame), header_(header) {}

  void finish_ip(std::span<std::uint8_t> out) const;
  void finish_tcp(std::span<std::uint8_t> out, std::size_t payload_before) const;
  void finish_udp(std::span<std::uint8_t> out) const;
  void finish_fragment(std::span<std::uint8_t> out, std::size_t payload_before) const;
  std::uint16_t transport_checksum(std::span<const std::uint8_t> out) const;
  bool is_first() const { return produced_ == 0; }
  bool is_last() const { return produced_ + 1 == frames_; }

  std::span<const std::uint8_t> frame_;
  VirtioNetHeader header_;
  Kind kind_ = Kind::whole;
  IpHeaders ip_{};
  std::size_t headers_ = 0;  // bytes that go before each piece of payload
  std::size_t piece_ = 0;    // bytes of payload in each frame but the last
  std::size_t frames_ = 1;
  std::size_t longest_ = 0;
  std::size_t produced_ = 0;
  std::uint16_t datagram_checksum_ = 0;  // of the whole datagram, where its fragments carry it
};

}  // namespace umlnet
