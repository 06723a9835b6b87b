#include "libumlnet/client/virtio_net_header.h"

#include <cstring>

#include "libumlnet/core/ethernet.h"

namespace umlnet {
namespace {

bool is_header_size(std::size_t size) {
  return size == VirtioNetHeader::kSize || size == VirtioNetHeader::kSizeWithBuffers;
}

constexpr std::uint16_t in_order(std::uint16_t value, std::endian order) {
  return order == std::endian::native ? value : std::byteswap(value);
}

std::uint16_t load(std::span<const std::uint8_t> bytes, std::size_t at, std::endian order) {
  std::uint16_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return in_order(value, order);
}

void store(std::span<std::uint8_t> bytes, std::size_t at, std::uint16_t value, std::endian order) {
  value = in_order(value, order);
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

bool is_known_kind(std::uint8_t gso_type) {
  switch (gso_type) {
    case VirtioNetHeader::kGsoNone:
    case VirtioNetHeader::kGsoTcp4:
    case VirtioNetHeader::kGsoTcp4 | VirtioNetHeader::kGsoEcn:
    case VirtioNetHeader::kGsoUdp:
    case VirtioNetHeader::kGsoTcp6:
    case VirtioNetHeader::kGsoTcp6 | VirtioNetHeader::kGsoEcn:
    case VirtioNetHeader::kGsoUdpL4: return true;
    default: return false;
  }
}

}  // namespace

std::string_view describe(OffloadFault fault) {
  switch (fault) {
    case OffloadFault::short_frame: return "the frame is shorter than an Ethernet header";
    case OffloadFault::unknown_gso_type: return "its kind of segmentation is not known";
    case OffloadFault::no_gso_size: return "its segments have no size";
    case OffloadFault::header_outside: return "its headers are longer than the frame";
    case OffloadFault::checksum_outside: return "its checksum lies outside of the frame's payload";
    case OffloadFault::no_checksum: return "it is to be segmented, but without checksums";
    case OffloadFault::not_ip: return "it is to be segmented, but is not a whole IP packet";
    case OffloadFault::other_protocol: return "it is to be segmented by another protocol than its own";
    case OffloadFault::other_checksum: return "its checksum is not where its protocol has it";
    case OffloadFault::too_many_frames: return "its segments are too small";
    case OffloadFault::unsupported: return "fragmentation of UDP over IPv6 is not supported";
  }
  return "unknown";
}

std::optional<VirtioNetHeader> VirtioNetHeader::decode(std::span<const std::uint8_t> bytes, std::endian order) {
  if (!is_header_size(bytes.size())) return std::nullopt;
  VirtioNetHeader header;
  header.flags = bytes[0];
  header.gso_type = bytes[1];
  header.hdr_len = load(bytes, 2, order);
  header.gso_size = load(bytes, 4, order);
  header.csum_start = load(bytes, 6, order);
  header.csum_offset = load(bytes, 8, order);
  if (bytes.size() == kSizeWithBuffers) header.num_buffers = load(bytes, 10, order);
  return header;
}

bool VirtioNetHeader::encode(std::span<std::uint8_t> bytes, std::endian order) const {
  if (!is_header_size(bytes.size())) return false;
  bytes[0] = flags;
  bytes[1] = gso_type;
  store(bytes, 2, hdr_len, order);
  store(bytes, 4, gso_size, order);
  store(bytes, 6, csum_start, order);
  store(bytes, 8, csum_offset, order);
  if (bytes.size() == kSizeWithBuffers) store(bytes, 10, num_buffers, order);
  return true;
}

std::expected<void, OffloadFault> VirtioNetHeader::check(std::size_t frame_size) const {
  if (frame_size < kEthernetHeader) return std::unexpected(OffloadFault::short_frame);
  if (!is_known_kind(gso_type)) return std::unexpected(OffloadFault::unknown_gso_type);
  if (is_segmented() && gso_size == 0) return std::unexpected(OffloadFault::no_gso_size);
  if (hdr_len > frame_size) return std::unexpected(OffloadFault::header_outside);
  if (needs_checksum() &&
      (csum_start < kEthernetHeader || std::size_t{csum_start} + csum_offset + sizeof(std::uint16_t) > frame_size))
    return std::unexpected(OffloadFault::checksum_outside);
  return {};
}

}  // namespace umlnet
