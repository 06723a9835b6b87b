#include "libumlnet/client/receive_coalescing.h"

#include <algorithm>
#include <cstring>

#include "libumlnet/client/header_layout.h"
#include "libumlnet/core/internet_checksum.h"
#include "libumlnet/core/network_order.h"

namespace umlnet {
namespace {

constexpr unsigned kLast = kTcpFin | kTcpPsh;  // flags that only the last segment may have
constexpr unsigned kEcnMask = 3, kCongestionExperienced = 3;

constexpr std::size_t kLongestPacket = 0xffff;  // what IPv4's total length can say; and IPv6's payload length

// Of the two ways to write a checksum of zero this one is never computed, so that it would not come back.
constexpr std::uint16_t kOtherZero = 0xffff;

using Bytes = std::span<const std::uint8_t>;

bool same_bytes(Bytes one, Bytes other, std::size_t begin, std::size_t end) {
  return std::memcmp(one.data() + begin, other.data() + begin, end - begin) == 0;
}

unsigned traffic_class(Bytes packet, int version) {
  return version == 4 ? packet[kIpv4Tos] : (packet[0] & 0xfU) << 4 | packet[1] >> 4;
}

InternetChecksum pseudo_header(Bytes packet, int version, std::size_t transport_length) {
  InternetChecksum sum;
  sum.add(version == 4 ? packet.subspan(kIpv4Addresses, 8) : packet.subspan(kIpv6Addresses, 32));
  return sum.add_word(kProtocolTcp).add_word(static_cast<std::uint16_t>(transport_length));
}

}  // namespace

// A whole TCP segment with payload, and nothing about it that would be lost. Checksums are not looked at.
bool Coalescer::is_segment(Bytes frame, const VirtioNetHeader& offload, IpHeaders& ip) const {
  if (offload.is_segmented()) return false;
  const auto found = find_ip_headers(frame);
  if (!found || found->protocol != kProtocolTcp || found->fragment || found->end != frame.size()) return false;
  ip = *found;
  const bool is_wanted = ip.version == 4 ? versions_.ipv4 : versions_.ipv6;
  if (!is_wanted || ip.transport - ip.network != (ip.version == 4 ? kIpv4Header : kIpv6Header)) return false;
  if (offload.needs_checksum() && (offload.csum_start != ip.transport || offload.csum_offset != kTcpChecksum))
    return false;
  if ((traffic_class(frame.subspan(ip.network), ip.version) & kEcnMask) == kCongestionExperienced) return false;

  const auto segment = frame.subspan(ip.transport);
  if (segment.size() < kTcpHeader) return false;
  const std::size_t header = std::size_t{segment[kTcpDataOffset]} / 16 * 4;
  const bool has_reserved_bits = segment[kTcpDataOffset] % 16 != 0;
  return header >= kTcpHeader && header < segment.size() && !has_reserved_bits &&
         (segment[kTcpFlags] & ~(kLast | kTcpEce)) == kTcpAck && get_be16(segment, kTcpUrgentPointer) == 0;
}

bool Coalescer::has_right_checksums(Bytes frame, const IpHeaders& ip, bool is_partial) {
  const auto packet = frame.subspan(ip.network), segment = frame.subspan(ip.transport);
  if (ip.version == 4 && (InternetChecksum().add(packet.first(kIpv4Header)).sum() != 0xffff ||
                          get_be16(packet, kIpv4Checksum) == kOtherZero))
    return false;
  auto sum = pseudo_header(packet, ip.version, segment.size());
  const std::uint16_t written = get_be16(segment, kTcpChecksum);
  if (is_partial) return written == sum.sum();
  return written != kOtherZero && sum.add(segment).sum() == 0xffff;
}

bool Coalescer::begin(std::span<std::uint8_t> frame, const VirtioNetHeader& offload) {
  first_ = frame;
  frames_ = 0;
  if (!is_segment(frame, offload, ip_)) return false;
  const auto segment = frame.subspan(ip_.transport);
  headers_ = ip_.transport + std::size_t{segment[kTcpDataOffset]} / 16 * 4;
  piece_ = payload_ = frame.size() - headers_;
  flags_ = static_cast<std::uint8_t>(segment[kTcpFlags] & kLast);
  frames_ = 1;
  is_partial_ = offload.needs_checksum();
  is_checked_ = false;
  is_complete_ = flags_ != 0;
  return !is_complete_;
}

// All of the headers but lengths, identification, sequence number, FIN, PSH and checksums.
bool Coalescer::has_equal_headers(Bytes frame) const {
  if (!same_bytes(first_, frame, 0, ip_.network)) return false;
  const Bytes packet = frame.subspan(ip_.network), packet_before = first_.subspan(ip_.network);
  if (ip_.version == 4) {
    if (!same_bytes(packet_before, packet, 0, kIpv4TotalLength) ||
        !same_bytes(packet_before, packet, kIpv4FlagsAndOffset, kIpv4Checksum) ||
        !same_bytes(packet_before, packet, kIpv4Addresses, kIpv4Header))
      return false;
    const auto follows = static_cast<std::uint16_t>(get_be16(packet_before, kIpv4Identification) + frames_);
    if (get_be16(packet, kIpv4Identification) != follows) return false;
  } else if (!same_bytes(packet_before, packet, 0, kIpv6PayloadLength) ||
             !same_bytes(packet_before, packet, kIpv6NextHeader, kIpv6Header)) {
    return false;
  }
  const Bytes segment = frame.subspan(ip_.transport), segment_before = first_.subspan(ip_.transport);
  const unsigned different_flags = segment[kTcpFlags] ^ segment_before[kTcpFlags];
  return same_bytes(segment_before, segment, 0, kTcpSequence) &&
         same_bytes(segment_before, segment, kTcpAcknowledgment, kTcpFlags) && (different_flags & ~kLast) == 0 &&
         same_bytes(segment_before, segment, kTcpWindow, kTcpChecksum) &&
         same_bytes(segment_before, segment, kTcpUrgentPointer, headers_ - ip_.transport) &&
         get_be32(segment, kTcpSequence) ==
             get_be32(segment_before, kTcpSequence) + static_cast<std::uint32_t>(payload_);
}

bool Coalescer::add(Bytes frame, const VirtioNetHeader& offload) {
  IpHeaders ip;
  if (is_complete_ || offload.needs_checksum() != is_partial_ || !is_segment(frame, offload, ip)) return false;
  if (ip.version != ip_.version || ip.network != ip_.network || !has_equal_headers(frame)) return false;
  const std::size_t payload = frame.size() - headers_;
  if (payload > piece_ || headers_ + payload_ + payload - ip_.network > kLongestPacket) return false;
  if (!is_checked_ && !has_right_checksums(first_, ip_, is_partial_)) {
    is_complete_ = true;
    return false;
  }
  is_checked_ = true;
  if (!has_right_checksums(frame, ip, is_partial_)) return false;

  flags_ = static_cast<std::uint8_t>(frame[ip.transport + kTcpFlags] & kLast);
  is_complete_ = flags_ != 0 || payload < piece_;
  payload_ += payload;
  ++frames_;
  return true;
}

VirtioNetHeader Coalescer::finish() {
  const auto packet = first_.subspan(ip_.network), segment = first_.subspan(ip_.transport);
  const std::size_t size = headers_ - ip_.network + payload_;
  if (ip_.version == 4) {
    put_be16(packet, kIpv4TotalLength, static_cast<std::uint16_t>(size));
    put_be16(packet, kIpv4Checksum, 0);
    put_be16(packet, kIpv4Checksum, InternetChecksum().add(packet.first(kIpv4Header)).value());
  } else {
    put_be16(packet, kIpv6PayloadLength, static_cast<std::uint16_t>(size - kIpv6Header));
  }
  segment[kTcpFlags] = static_cast<std::uint8_t>(segment[kTcpFlags] | flags_);
  const std::size_t transport_length = headers_ - ip_.transport + payload_;
  put_be16(segment, kTcpChecksum, pseudo_header(packet, ip_.version, transport_length).sum());
  return {.flags = VirtioNetHeader::kNeedsChecksum,
          .gso_type = ip_.version == 4 ? VirtioNetHeader::kGsoTcp4 : VirtioNetHeader::kGsoTcp6,
          .hdr_len = static_cast<std::uint16_t>(headers_),
          .gso_size = static_cast<std::uint16_t>(piece_),
          .csum_start = static_cast<std::uint16_t>(ip_.transport),
          .csum_offset = kTcpChecksum};
}

}  // namespace umlnet
