// Receive coalescing: segments of one TCP stream that follow each other become one frame of up to 64 KiB, with the
// virtio-net header that says how to cut it again. It is segmentation_offload.h backwards, and exact: what Segmenter
// makes of the joined frame is, byte by byte, the frames that were joined, with their checksums finished.
//
// Two frames are joined where all of this holds:
//   Ethernet  header and VLAN tags are equal
//   IPv4      no options, no fragment; type of service, Don't Fragment, time to live and addresses are equal, the
//             identification counts up by one, the header checksum is right
//   IPv6      no extension headers; traffic class, flow label, hop limit and addresses are equal
//   ECN       neither has met congestion (CE, RFC 3168): a receiver counts those
//   TCP       (RFC 9293) ports, acknowledgment number, window and options, timestamps among them, are equal, the
//             sequence number follows on the payload before; ACK is set, ECE is equal, and nothing else is
//   PSH, FIN  only in the last
//   payload   not empty, as long as that of the first, in the last not longer
//   checksum  right, or left to be finished (VIRTIO_NET_HDR_F_NEEDS_CSUM) with the pseudo header's sum in its field
// What is behind the IP packet (padding of short frames) forbids it too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "libumlnet/client/ip_headers.h"
#include "libumlnet/client/virtio_net_header.h"

namespace umlnet {

// One frame that others are joined to. It looks at frames, and writes only to the first one's headers, in finish();
// payload stays where it is.
class Coalescer {
 public:
  // Which frames are joined.
  struct Versions {
    bool ipv4 = true, ipv6 = true;
  };
  explicit Coalescer(Versions versions) : versions_(versions) {}

  // Begins anew with `frame`, which is borrowed until finish(). False where nothing can be joined to it.
  bool begin(std::span<std::uint8_t> frame, const VirtioNetHeader& offload);

  // Whether `frame` is the next of the same stream; its payload, from headers() on, then belongs to the joined frame.
  // False: the joined frame is complete without it. Only after a begin() that was true.
  bool add(std::span<const std::uint8_t> frame, const VirtioNetHeader& offload);

  std::size_t headers() const { return headers_; }  // bytes before the payload, the same in all that were joined
  std::size_t frames() const { return frames_; }    // how many are joined, the first one among them

  // Where frames() is more than 1: makes the first frame's headers those of the joined frame, and returns what belongs
  // before it.
  VirtioNetHeader finish();

 private:
  bool is_segment(std::span<const std::uint8_t> frame, const VirtioNetHeader& offload, IpHeaders& ip) const;
  bool has_equal_headers(std::span<const std::uint8_t> frame) const;
  static bool has_right_checksums(std::span<const std::uint8_t> frame, const IpHeaders& ip, bool is_partial);

  Versions versions_;
  std::span<std::uint8_t> first_;
  IpHeaders ip_{};
  std::size_t headers_ = 0;
  std::size_t piece_ = 0;    // bytes of payload in the first
  std::size_t payload_ = 0;  // in all of them
  std::size_t frames_ = 0;
  std::uint8_t flags_ = 0;  // PSH and FIN of the last
  bool is_partial_ = false;
  bool is_checked_ = false;  // the first one's checksums
  bool is_complete_ = false;
};

}  // namespace umlnet
