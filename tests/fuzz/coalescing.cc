// Receive coalescing. The first seven bytes say how the frame behind them becomes several: cut at some segment size,
// with its sums put right, and then one byte of one of the segments changed; or simply parted in two.
//
//   byte 0  bit 0: parted      1  segment size, or where it is parted (2 bytes)
//        3  the segment        4  its byte (2 bytes)        6  what it is changed by (exclusive or)
//
// What is joined must come out of segmentation as it was, byte by byte.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "libumlnet/client/ip_headers.h"
#include "libumlnet/client/receive_coalescing.h"
#include "libumlnet/client/segmentation_offload.h"
#include "libumlnet/client/virtio_net_header.h"
#include "libumlnet/core/network_order.h"
#include "require.h"
#include "tests/unit/frames.h"

using namespace umlnet;

namespace {

using Frame = std::span<const std::uint8_t>;

constexpr std::size_t kHow = 7, kChecksum = 16;  // of the latter: bytes into the TCP header
constexpr std::size_t kLongest = 65536, kMostFrames = 64;

std::vector<Bytes> parted(Frame frame, std::size_t at) {
  at = std::min(at, frame.size());
  return {Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(at)),
          Bytes(frame.begin() + static_cast<std::ptrdiff_t>(at), frame.end())};
}

std::vector<Bytes> segments_of(Bytes frame, std::uint16_t segment_size) {
  const auto ip = find_ip_headers(frame);
  if (!ip || ip->protocol != kProtocolTcp || ip->end < ip->transport + kChecksum + 2) return {};
  frame.resize(ip->end);
  const Frame packet = Frame(frame).subspan(ip->network);
  Bytes pseudo_header;
  append(pseudo_header, ip->version == 4 ? packet.subspan(12, 8) : packet.subspan(8, 32));
  append16(pseudo_header, kProtocolTcp);
  append16(pseudo_header, ip->end - ip->transport);
  put_be16(frame, ip->transport + kChecksum, plain_sum(pseudo_header));
  const VirtioNetHeader header{
      .flags = VirtioNetHeader::kNeedsChecksum,
      .gso_type = ip->version == 4 ? VirtioNetHeader::kGsoTcp4 : VirtioNetHeader::kGsoTcp6,
      .gso_size = segment_size,
      .csum_start = static_cast<std::uint16_t>(ip->transport),
      .csum_offset = kChecksum,
  };
  auto segmenter = Segmenter::of(frame, header);
  std::vector<Bytes> segments;
  while (segmenter && !segmenter->done() && segments.size() < kMostFrames) {
    Bytes segment(segmenter->longest());
    segment.resize(segmenter->next(segment));
    segments.push_back(std::move(segment));
  }
  return segments;
}

// Of the joined frame, whose first segment `first` is now its headers.
void require_same_again(std::span<const Bytes> before, const Bytes& first, std::size_t headers,
                        const VirtioNetHeader& offload) {
  Bytes joined = first;
  for (const Bytes& segment : before.subspan(1)) append(joined, Frame(segment).subspan(headers));
  auto segmenter = Segmenter::of(joined, offload);
  REQUIRE_THAT(segmenter.has_value());
  REQUIRE_THAT(segmenter->frames() == before.size());
  for (const Bytes& segment : before) {
    Bytes again(segmenter->longest());
    again.resize(segmenter->next(again));
    REQUIRE_THAT(again == segment);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kHow || size > kLongest) return 0;
  const Frame how(data, kHow), frame(data + kHow, size - kHow);
  const std::uint16_t number = get_be16(how, 1);
  auto frames = (how[0] & 1) != 0 ? parted(frame, number) : segments_of(Bytes(frame.begin(), frame.end()), number);
  if (frames.empty()) return 0;
  Bytes& changed = frames[how[3] % frames.size()];
  if (!changed.empty()) changed[get_be16(how, 4) % changed.size()] ^= how[6];

  const auto before = frames;
  Coalescer coalescer{{}};
  for (std::size_t at = 0, next = 0; at < frames.size(); at = next) {
    next = at + 1;
    if (!coalescer.begin(frames[at], {})) continue;
    while (next < frames.size() && coalescer.add(frames[next], {})) ++next;
    REQUIRE_THAT(coalescer.frames() == next - at);
    REQUIRE_THAT(frames == before);
    if (next - at == 1) continue;
    const VirtioNetHeader offload = coalescer.finish();
    require_same_again(std::span(before).subspan(at, next - at), frames[at], coalescer.headers(), offload);
    frames[at] = before[at];
  }
  return 0;
}
