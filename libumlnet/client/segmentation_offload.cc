#include "libumlnet/client/segmentation_offload.h"

#include <algorithm>
#include <cstring>

#include "libumlnet/client/checksum_offload.h"
#include "libumlnet/client/header_layout.h"
#include "libumlnet/core/internet_checksum.h"
#include "libumlnet/core/network_order.h"

namespace umlnet {
namespace {

constexpr std::uint16_t kMoreFragments = 0x2000;

constexpr std::size_t kFragmentUnit = 8;  // bytes that IPv4's fragment offset counts in

// What a frame of some gso_type has behind its IP header.
struct Transport {
  int version;  // of IP; 0: any
  std::uint8_t protocol;
  std::size_t checksum;  // its place in the transport header
};

Transport transport_of(std::uint8_t gso_type) {
  switch (gso_type & ~VirtioNetHeader::kGsoEcn) {
    case VirtioNetHeader::kGsoTcp4: return {.version = 4, .protocol = kProtocolTcp, .checksum = kTcpChecksum};
    case VirtioNetHeader::kGsoTcp6: return {.version = 6, .protocol = kProtocolTcp, .checksum = kTcpChecksum};
    default: return {.version = 0, .protocol = kProtocolUdp, .checksum = kUdpChecksum};
  }
}

// Options whose highest bit is not set belong to the first fragment only. They become No Operation (1), so that the
// header keeps its size.
void blank_uncopied_options(std::span<std::uint8_t> options) {
  constexpr std::uint8_t kEnd = 0, kNoOperation = 1, kCopied = 0x80;
  for (std::size_t at = 0; at < options.size() && options[at] != kEnd;) {
    std::size_t size = 1;
    if (options[at] != kNoOperation) {
      if (options.size() - at < 2) return;
      size = options[at + 1];
      if (size < 2 || size > options.size() - at) return;
      if ((options[at] & kCopied) == 0) std::ranges::fill(options.subspan(at, size), kNoOperation);
    }
    at += size;
  }
}

std::uint16_t udp_checksum(std::uint16_t value) { return value == 0 ? 0xffff : value; }

}  // namespace

std::expected<Segmenter, OffloadFault> Segmenter::of(std::span<const std::uint8_t> frame,
                                                     const VirtioNetHeader& header) {
  if (const auto checked = header.check(frame.size()); !checked) return std::unexpected(checked.error());
  Segmenter segmenter(frame, header);
  segmenter.longest_ = frame.size();
  if (!header.is_segmented()) return segmenter;

  const auto ip = find_ip_headers(frame);
  if (!ip || ip->fragment || ip->end != frame.size()) return std::unexpected(OffloadFault::not_ip);
  const auto expected = transport_of(header.gso_type);
  if (ip->protocol != expected.protocol || (expected.version != 0 && ip->version != expected.version))
    return std::unexpected(OffloadFault::other_protocol);
  const bool fragments = header.gso_type == VirtioNetHeader::kGsoUdp;
  if (fragments && ip->version == 6) return std::unexpected(OffloadFault::unsupported);
  // Only a datagram that is fragmented may have its checksum already, or none.
  if (!header.needs_checksum() && !fragments) return std::unexpected(OffloadFault::no_checksum);
  if (header.needs_checksum() && (header.csum_start != ip->transport || header.csum_offset != expected.checksum))
    return std::unexpected(OffloadFault::other_checksum);

  const auto transport = frame.subspan(ip->transport);
  if (expected.protocol == kProtocolTcp) {
    if (transport.size() < kTcpHeader) return std::unexpected(OffloadFault::not_ip);
    const std::size_t size = std::size_t{transport[kTcpDataOffset]} / 16 * 4;
    if (size < kTcpHeader || size > transport.size()) return std::unexpected(OffloadFault::not_ip);
    segmenter.kind_ = Kind::tcp;
    segmenter.headers_ = ip->transport + size;
    segmenter.piece_ = header.gso_size;
  } else {
    if (transport.size() < kUdpHeader || get_be16(transport, kUdpLength) != transport.size())
      return std::unexpected(OffloadFault::not_ip);
    segmenter.kind_ = fragments ? Kind::ip_fragments : Kind::udp;
    segmenter.headers_ = ip->transport + (fragments ? 0 : kUdpHeader);
    segmenter.piece_ = fragments ? header.gso_size / kFragmentUnit * kFragmentUnit : header.gso_size;
  }
  if (segmenter.piece_ == 0) return std::unexpected(OffloadFault::no_gso_size);

  segmenter.ip_ = *ip;
  const std::size_t payload = frame.size() - segmenter.headers_;
  segmenter.frames_ = std::max<std::size_t>((payload + segmenter.piece_ - 1) / segmenter.piece_, 1);
  if (segmenter.frames_ > kMostFrames) return std::unexpected(OffloadFault::too_many_frames);
  segmenter.longest_ = segmenter.headers_ + std::min(segmenter.piece_, payload);
  if (fragments)
    segmenter.datagram_checksum_ = header.needs_checksum() ? udp_checksum(InternetChecksum().add(transport).value())
                                                           : get_be16(transport, kUdpChecksum);
  return segmenter;
}

std::size_t Segmenter::next(std::span<std::uint8_t> out) {
  if (done()) return 0;
  if (kind_ == Kind::whole) {
    if (out.size() < frame_.size()) return 0;
    out = out.first(frame_.size());
    std::ranges::copy(frame_, out.begin());
    if (!finish_checksum(out, header_)) return 0;  // never: of() has checked the same
    ++produced_;
    return out.size();
  }

  const std::size_t before = produced_ * piece_;
  const auto payload = frame_.subspan(headers_ + before);
  const std::size_t size = std::min(piece_, payload.size());
  if (out.size() < headers_ + size) return 0;
  out = out.first(headers_ + size);
  std::memcpy(out.data(), frame_.data(), headers_);
  if (size != 0) std::memcpy(out.data() + headers_, payload.data(), size);

  switch (kind_) {
    case Kind::tcp: finish_tcp(out, before); break;
    case Kind::udp: finish_udp(out); break;
    case Kind::ip_fragments: finish_fragment(out, before); break;
    case Kind::whole: break;
  }
  finish_ip(out);
  ++produced_;
  return out.size();
}

void Segmenter::finish_ip(std::span<std::uint8_t> out) const {
  const auto packet = out.subspan(ip_.network);
  if (ip_.version == 6) {
    put_be16(packet, kIpv6PayloadLength, static_cast<std::uint16_t>(packet.size() - kIpv6Header));
    return;
  }
  put_be16(packet, kIpv4TotalLength, static_cast<std::uint16_t>(packet.size()));
  if (kind_ != Kind::ip_fragments)
    put_be16(packet, kIpv4Identification,
             static_cast<std::uint16_t>(get_be16(packet, kIpv4Identification) + produced_));
  put_be16(packet, kIpv4Checksum, 0);
  put_be16(packet, kIpv4Checksum, InternetChecksum().add(packet.first(ip_.transport - ip_.network)).value());
}

void Segmenter::finish_tcp(std::span<std::uint8_t> out, std::size_t payload_before) const {
  const auto segment = out.subspan(ip_.transport);
  put_be32(segment, kTcpSequence, get_be32(segment, kTcpSequence) + static_cast<std::uint32_t>(payload_before));
  unsigned flags = segment[kTcpFlags];
  if (!is_last()) flags &= ~(kTcpFin | kTcpPsh);
  if (!is_first()) flags &= ~kTcpCwr;
  segment[kTcpFlags] = static_cast<std::uint8_t>(flags);
  put_be16(segment, kTcpChecksum, transport_checksum(segment));
}

void Segmenter::finish_udp(std::span<std::uint8_t> out) const {
  const auto datagram = out.subspan(ip_.transport);
  put_be16(datagram, kUdpLength, static_cast<std::uint16_t>(datagram.size()));
  put_be16(datagram, kUdpChecksum, udp_checksum(transport_checksum(datagram)));
}

void Segmenter::finish_fragment(std::span<std::uint8_t> out, std::size_t payload_before) const {
  const auto packet = out.subspan(ip_.network);
  if (frames_ > 1)
    put_be16(packet, kIpv4FlagsAndOffset,
             static_cast<std::uint16_t>(payload_before / kFragmentUnit | (is_last() ? 0 : kMoreFragments)));
  if (is_first())
    put_be16(out.subspan(ip_.transport), kUdpChecksum, datagram_checksum_);
  else
    blank_uncopied_options(packet.first(ip_.transport - ip_.network).subspan(kIpv4Header));
}

// `out` is the transport header and its payload. The checksum's field still holds the sum of the whole frame's pseudo
// header, of which only the length is another.
std::uint16_t Segmenter::transport_checksum(std::span<const std::uint8_t> out) const {
  return InternetChecksum()
      .add(out)
      .subtract_word(static_cast<std::uint16_t>(frame_.size() - ip_.transport))
      .add_word(static_cast<std::uint16_t>(out.size()))
      .value();
}

}  // namespace umlnet
