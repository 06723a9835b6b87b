// The virtio-net header, which goes before a frame where one side leaves checksums or segmentation to the other:
// virtio 1.2, 5.1.6; linux/virtio_net.h. A TAP with IFF_VNET_HDR reads and writes it before each frame, in the length
// that TUNSETVNETHDRSZ sets.
//
//   byte 0  flags           1    2  hdr_len     2
//        1  gso_type        1    4  gso_size    2
//                                6  csum_start  2
//                                8  csum_offset 2
//                               10  num_buffers 2, only in the header of 12 bytes
//
// Byte order: on a TAP the machine's own, unless TUNSETVNETLE or TUNSETVNETBE chose; in virtio 1 little endian; in
// legacy virtio the guest's. On a little-endian machine that is all the same.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

namespace umlnet {

// Why a frame cannot be finished in software. A closed list, for counters.
enum class OffloadFault : std::uint8_t {
  short_frame,       // shorter than an Ethernet header
  unknown_gso_type,  // a kind of segmentation that is not known, or the ECN bit without TCP
  no_gso_size,       // segments of nothing
  header_outside,    // hdr_len is more than there is
  checksum_outside,  // csum_start and csum_offset do not lie in the frame, behind its Ethernet header
  no_checksum,       // segmentation without VIRTIO_NET_HDR_F_NEEDS_CSUM
  not_ip,            // segmentation of something else than whole IP packets, or headers that contradict each other
  other_protocol,    // the headers are not those that gso_type names
  other_checksum,    // the headers are not where csum_start and csum_offset have them
  too_many_frames,   // segments so small that it can only be meant to make work
  unsupported,       // UFO over IPv6
};

// In words, for a person.
std::string_view describe(OffloadFault fault);

struct VirtioNetHeader {
  // Lengths, in bytes.
  static constexpr std::size_t kSize = 10;             // struct virtio_net_hdr, a TAP's default
  static constexpr std::size_t kSizeWithBuffers = 12;  // struct virtio_net_hdr_v1 and _mrg_rxbuf

  // Flags.
  static constexpr std::uint8_t kNeedsChecksum = 1;  // the checksum's field holds the sum of the pseudo header so far
  static constexpr std::uint8_t kDataValid = 2;      // checksums have been seen to be right

  // Kinds of segmentation.
  static constexpr std::uint8_t kGsoNone = 0;
  static constexpr std::uint8_t kGsoTcp4 = 1;
  static constexpr std::uint8_t kGsoUdp = 3;  // UFO: IP fragments of one datagram
  static constexpr std::uint8_t kGsoTcp6 = 4;
  static constexpr std::uint8_t kGsoUdpL4 = 5;   // USO: datagrams of their own, over IPv4 or IPv6
  static constexpr std::uint8_t kGsoEcn = 0x80;  // a bit beside the TCP kinds: CWR is set

  std::uint8_t flags = 0;
  std::uint8_t gso_type = kGsoNone;
  std::uint16_t hdr_len = 0;      // bytes of all headers, or more: a hint
  std::uint16_t gso_size = 0;     // bytes of payload in each segment
  std::uint16_t csum_start = 0;   // bytes from the frame's beginning; from here on to its end is summed
  std::uint16_t csum_offset = 0;  // bytes from csum_start; where the checksum belongs
  // Buffers that a frame was spread over by a device with VIRTIO_NET_F_MRG_RXBUF. A TAP does not look at it, and writes
  // none of its own accord: 1 is right.
  std::uint16_t num_buffers = 1;

  bool needs_checksum() const { return (flags & kNeedsChecksum) != 0; }
  bool is_segmented() const { return gso_type != kGsoNone; }

  // `bytes` is the whole header, of 10 or 12 bytes; nothing where it is of another size.
  static std::optional<VirtioNetHeader> decode(std::span<const std::uint8_t> bytes,
                                               std::endian order = std::endian::native);
  // Fills `bytes`; false where that is not 10 or 12 bytes. Flags and kinds that have no name here go along as they are.
  bool encode(std::span<std::uint8_t> bytes, std::endian order = std::endian::native) const;

  // Whether the header can be that of a frame of `frame_size` bytes: what the header says by itself, as a TAP holds it
  // against what is written to it. The frame's own headers are not looked at.
  std::expected<void, OffloadFault> check(std::size_t frame_size) const;

  bool operator==(const VirtioNetHeader&) const = default;
};

}  // namespace umlnet
