// Virtio-net headers and segmentation: a header of 10 bytes, then the frame that came with it. Where the first bit of
// the header's flags asks for it (0x80, which has no meaning of its own), the lengths and the sum of the pseudo header
// are put right first, so that the segments' checksums can be checked.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "libumlnet/client/checksum_offload.h"
#include "libumlnet/client/ip_headers.h"
#include "libumlnet/client/segmentation_offload.h"
#include "libumlnet/client/virtio_net_header.h"
#include "libumlnet/core/internet_checksum.h"
#include "libumlnet/core/network_order.h"
#include "require.h"
#include "tests/unit/frames.h"

using namespace umlnet;

namespace {

using Frame = std::span<const std::uint8_t>;

constexpr std::uint8_t kPutRight = 0x80;
constexpr std::size_t kLongest = 65536 + 64;

std::size_t checksum_offset(std::uint8_t protocol) { return protocol == kProtocolTcp ? 16 : 6; }

// The pseudo header by the book: addresses, protocol, length.
Bytes pseudo_header(Frame frame, const IpHeaders& ip) {
  const auto packet = frame.subspan(ip.network);
  Bytes bytes;
  append(bytes, ip.version == 4 ? packet.subspan(12, 8) : packet.subspan(8, 32));
  append16(bytes, ip.protocol);
  append16(bytes, ip.end - ip.transport);
  return bytes;
}

// The sum of pseudo header and payload is all ones where the checksum is right. An odd payload ends in a zero.
bool checksum_is_right(Frame frame, const IpHeaders& ip) {
  Bytes bytes = pseudo_header(frame, ip);
  append(bytes, frame.subspan(ip.transport, ip.end - ip.transport));
  return plain_sum(bytes) == 0xffff;
}

// Headers and lengths that contradict nothing, so that the fuzzer need not guess sums.
void put_right(Bytes& frame, VirtioNetHeader& header) {
  const auto ip = find_ip_headers(frame);
  if (!ip || ip->fragment || (ip->protocol != kProtocolTcp && ip->protocol != kProtocolUdp)) return;
  const std::size_t offset = checksum_offset(ip->protocol);
  frame.resize(ip->end);
  if (frame.size() < ip->transport + offset + 2) return;
  if (ip->protocol == kProtocolUdp)
    put_be16(frame, ip->transport + 4, static_cast<std::uint16_t>(ip->end - ip->transport));
  put_be16(frame, ip->transport + offset, plain_sum(pseudo_header(frame, *ip)));
  header.flags |= VirtioNetHeader::kNeedsChecksum;
  header.csum_start = static_cast<std::uint16_t>(ip->transport);
  header.csum_offset = static_cast<std::uint16_t>(offset);
}

// The bytes behind the headers that every piece repeats.
std::size_t header_size(Frame frame, const IpHeaders& ip, std::uint8_t gso_type) {
  if (gso_type == VirtioNetHeader::kGsoUdp) return ip.transport;
  return ip.transport + (ip.protocol == kProtocolTcp ? std::size_t{frame[ip.transport + 12]} / 16 * 4 : 8);
}

void require_segments(Frame frame, const VirtioNetHeader& header, Segmenter segmenter, bool sum_is_right) {
  REQUIRE_THAT(segmenter.frames() >= 1 && segmenter.frames() <= Segmenter::kMostFrames);
  const auto ip = find_ip_headers(frame);
  REQUIRE_THAT(!header.is_segmented() || ip.has_value());
  const std::size_t headers = header.is_segmented() ? header_size(frame, *ip, header.gso_type) : 0;
  Bytes out(segmenter.longest()), payload;
  std::size_t longest = 0, count = 0;
  while (!segmenter.done()) {
    const std::size_t size = segmenter.next(out);
    REQUIRE_THAT(size > 0 && size <= out.size());
    REQUIRE_THAT(++count <= segmenter.frames());
    longest = std::max(longest, size);
    const Frame piece(out.data(), size);
    if (!header.is_segmented()) {
      REQUIRE_THAT(piece.size() == frame.size());
      continue;
    }
    REQUIRE_THAT(size >= headers);
    append(payload, piece.subspan(headers));
    const auto its = find_ip_headers(piece);
    REQUIRE_THAT(its && its->end == size && its->transport == ip->transport && its->protocol == ip->protocol);
    if (its->version == 4)
      REQUIRE_THAT(plain_sum(piece.subspan(its->network, its->transport - its->network)) == 0xffff);
    const bool fragments = header.gso_type == VirtioNetHeader::kGsoUdp;
    REQUIRE_THAT(its->fragment == (fragments && segmenter.frames() > 1));
    // Where an IPv6 routing header names another destination, the sum is not over the address in the header.
    if (sum_is_right && !fragments) REQUIRE_THAT(checksum_is_right(piece, *its));
  }
  REQUIRE_THAT(count == segmenter.frames());
  REQUIRE_THAT(longest == segmenter.longest());
  REQUIRE_THAT(segmenter.next(out) == 0);
  if (!header.is_segmented()) return;
  // All of the payload, once and in order; only a datagram's own checksum is another in its fragments.
  const Frame sent = frame.subspan(headers);
  REQUIRE_THAT(payload.size() == sent.size());
  const std::size_t same_from = header.gso_type == VirtioNetHeader::kGsoUdp ? 8 : 0;
  REQUIRE_THAT(std::ranges::equal(Frame(payload).subspan(same_from), sent.subspan(same_from)));
}

void require_codec(Frame bytes) {
  for (const auto order : {std::endian::little, std::endian::big}) {
    const auto header = VirtioNetHeader::decode(bytes, order);
    REQUIRE_THAT(header.has_value());
    Bytes again(bytes.size());
    REQUIRE_THAT(header->encode(again, order) && std::ranges::equal(again, bytes));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < VirtioNetHeader::kSizeWithBuffers || size > kLongest) return 0;
  const Frame input(data, size);
  require_codec(input.first(VirtioNetHeader::kSize));
  require_codec(input.first(VirtioNetHeader::kSizeWithBuffers));
  auto header = *VirtioNetHeader::decode(input.first(VirtioNetHeader::kSize));
  const auto rest = input.subspan(VirtioNetHeader::kSize);
  Bytes frame(rest.begin(), rest.end());
  const bool right = (header.flags & kPutRight) != 0;
  if (right) put_right(frame, header);

  const auto checked = header.check(frame.size());
  const auto segmenter = Segmenter::of(frame, header);
  if (!checked) REQUIRE_THAT(!segmenter);
  if (segmenter)
    require_segments(frame, header, *segmenter, right);
  else
    REQUIRE_THAT(describe(segmenter.error()) != "unknown");

  if (!header.is_segmented()) {
    Bytes finished = frame;
    const bool done = finish_checksum(finished, header).has_value();
    REQUIRE_THAT(done == checked.has_value());
    std::size_t changed = 0;
    for (std::size_t i = 0; i < frame.size(); ++i) changed += frame[i] != finished[i] ? 1 : 0;
    REQUIRE_THAT(changed <= (done && header.needs_checksum() ? 2u : 0u));
  }
  return 0;
}
