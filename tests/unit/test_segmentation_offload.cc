// Segments byte by byte, then many more against a model: a frame is built from a description, and what comes of it is
// read by that description and checked by plain sums.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "libumlnet/client/segmentation_offload.h"
#include "tests/unit/frames.h"

using namespace umlnet;

namespace {

std::vector<Bytes> all_of(Segmenter& segmenter) {
  std::vector<Bytes> frames;
  Bytes out(segmenter.longest());
  while (!segmenter.done()) {
    const std::size_t size = segmenter.next(out);
    REQUIRE(size != 0);
    frames.emplace_back(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE(frames.size() <= segmenter.frames());
  }
  return frames;
}

std::vector<Bytes> segments_of(const Bytes& frame, const VirtioNetHeader& header) {
  auto segmenter = Segmenter::of(frame, header);
  REQUIRE(segmenter);
  return all_of(*segmenter);
}

std::optional<OffloadFault> fault_of(const Bytes& frame, const VirtioNetHeader& header) {
  const auto segmenter = Segmenter::of(frame, header);
  return segmenter ? std::nullopt : std::optional(segmenter.error());
}

VirtioNetHeader gso(std::uint8_t type, std::size_t size, std::size_t start, std::size_t offset) {
  return {.flags = VirtioNetHeader::kNeedsChecksum,
          .gso_type = type,
          .hdr_len = 0,
          .gso_size = static_cast<std::uint16_t>(size),
          .csum_start = static_cast<std::uint16_t>(start),
          .csum_offset = static_cast<std::uint16_t>(offset)};
}

const Bytes kTcp4 =
    hex("02000000000102000000000208004500002dffff4000400625070a6300010a6300fe12340050fffffffe0102030450992000"
        "15e4000068656c6c6f");
const VirtioNetHeader kTcp4Header = gso(VirtioNetHeader::kGsoTcp4 | VirtioNetHeader::kGsoEcn, 2, 34, 16);

const Bytes kUso6 =
    hex("0200000000010200000000028100000586dd6000000000111140fd000000000000000000000000000001fd00000000000000"
        "00000000000000fe111122220011fb22646174616772616d73");
const VirtioNetHeader kUso6Header = gso(VirtioNetHeader::kGsoUdpL4, 4, 58, 6);

const Bytes kUfo4 =
    hex("02000000000102000000000208004500002c12344000401112c90a6300010a6300fe11112222001815ee667261676d656e74"
        "73206f6620554450");
const VirtioNetHeader kUfo4Header = gso(VirtioNetHeader::kGsoUdp, 23, 34, 6);

}  // namespace

TEST_CASE("segmentation: TCP over IPv4; identification and sequence number wrap") {
  CHECK(segments_of(kTcp4, kTcp4Header) ==
        std::vector{
            hex("02000000000102000000000208004500002affff40004006250a0a6300010a6300fe12340050fffffffe0102030450902000"
                "fa9f00006865"),
            hex("02000000000102000000000208004500002a000040004006250a0a6300010a6300fe12340050000000000102030450102000"
                "f71700006c6c"),
            hex("020000000001020000000002080045000029000140004006250a0a6300010a6300fe12340050000000020102030450192000"
                "f47900006f")});
}

TEST_CASE("segmentation: UDP datagrams over IPv6 behind a VLAN tag") {
  CHECK(segments_of(kUso6, kUso6Header) ==
        std::vector{
            hex("0200000000010200000000028100000586dd60000000000c1140fd000000000000000000000000000001fd00000000000000"
                "00000000000000fe11112222000cf8df64617461"),
            hex("0200000000010200000000028100000586dd60000000000c1140fd000000000000000000000000000001fd00000000000000"
                "00000000000000fe11112222000c08c36772616d"),
            hex("0200000000010200000000028100000586dd6000000000091140fd000000000000000000000000000001fd00000000000000"
                "00000000000000fe1111222200095ea873")});
}

TEST_CASE("segmentation: one UDP datagram in IPv4 fragments") {
  const std::vector fragments{
      hex("02000000000102000000000208004500002412342000401132d10a6300010a6300fe111122220018cbe6667261676d656e74"),
      hex("02000000000102000000000208004500001c12340002401152d70a6300010a6300fe73206f6620554450")};
  CHECK(segments_of(kUfo4, kUfo4Header) == fragments);

  // A datagram whose checksum is there already, or that has none, keeps what it has.
  Bytes finished = kUfo4;
  finished[40] = 0xcb;
  finished[41] = 0xe6;
  VirtioNetHeader header = kUfo4Header;
  header.flags = 0;
  CHECK(segments_of(finished, header) == fragments);
  finished[40] = finished[41] = 0;
  const auto without = segments_of(finished, header);
  CHECK(without[0][40] == 0);
  CHECK(without[0][41] == 0);
  CHECK(without[1] == fragments[1]);

  // What fits into one piece is not fragmented, and may go on saying Don't Fragment.
  header = kUfo4Header;
  header.gso_size = 24;
  const auto whole = segments_of(kUfo4, header);
  REQUIRE(whole.size() == 1);
  CHECK(whole[0][20] == 0x40);
}

TEST_CASE("segmentation: only the first fragment keeps the options that are not to be copied") {
  // Record route (7) is not copied, loose source route (131) is; the last is broken, and left alone.
  Bytes frame = hex("020000000001 020000000002 0800 48000038 12340000 40110000 0a630001 0a6300fe");
  append(frame, hex("070304 830304 0109 0000 0000 11112222 00180000"));
  frame.resize(14 + 56, 0x55);
  const auto fragments = segments_of(frame, gso(VirtioNetHeader::kGsoUdp, 16, 46, 6));
  REQUIRE(fragments.size() == 2);
  const auto options = [&](std::size_t index) {
    return Bytes(fragments[index].begin() + 34, fragments[index].begin() + 46);
  };
  CHECK(options(0) == hex("070304 830304 0109 0000 0000"));
  CHECK(options(1) == hex("010101 830304 0109 0000 0000"));
}

TEST_CASE("segmentation: without gso_type the frame comes out once, its checksum finished") {
  Bytes frame = kUso6;
  VirtioNetHeader header = kUso6Header;
  header.gso_type = VirtioNetHeader::kGsoNone;
  const auto frames = segments_of(frame, header);
  REQUIRE(frames.size() == 1);
  frame[64] = frames[0][64];
  frame[65] = frames[0][65];
  CHECK(frames[0] == frame);
  Bytes summed = hex("fd000000000000000000000000000001 fd0000000000000000000000000000fe 00000011 00000011");
  append(summed, std::span(frame).subspan(58));
  CHECK(plain_sum(summed) == 0xffff);
  CHECK(segments_of(kTcp4, {}) == std::vector<Bytes>{kTcp4});
}

TEST_CASE("segmentation: waits where there is no room, and goes on from there") {
  auto segmenter = Segmenter::of(kTcp4, kTcp4Header);
  REQUIRE(segmenter);
  CHECK(segmenter->frames() == 3);
  CHECK(segmenter->longest() == 56);
  Bytes small(55), out(56);
  CHECK(segmenter->next(small) == 0);
  CHECK(segmenter->next(out) == 56);
  CHECK(segmenter->next(small) == 0);
  CHECK_FALSE(segmenter->done());
  CHECK(segmenter->next(out) == 56);
  CHECK(segmenter->next(small) == 55);
  CHECK(segmenter->done());
  CHECK(segmenter->next(out) == 0);
}

TEST_CASE("segmentation: what does not fit together is refused") {
  const auto with = [](const Bytes& frame, std::size_t at, unsigned value) {
    Bytes bytes = frame;
    bytes[at] = static_cast<std::uint8_t>(value);
    return bytes;
  };
  const auto but = [](VirtioNetHeader header, auto change) {
    change(header);
    return header;
  };
  using enum OffloadFault;
  CHECK_FALSE(fault_of(kTcp4, kTcp4Header));
  CHECK(fault_of(Bytes(kTcp4.begin(), kTcp4.end() - 1), kTcp4Header) == not_ip);  // a length beyond the frame
  CHECK(fault_of(with(kTcp4, 17, 0x2c), kTcp4Header) == not_ip);                  // a byte behind the packet
  CHECK(fault_of(with(kTcp4, 20, 0x20), kTcp4Header) == not_ip);                  // a fragment
  CHECK(fault_of(with(kTcp4, 13, 0x06), kTcp4Header) == not_ip);                  // ARP
  CHECK(fault_of(with(kTcp4, 46, 0x40), kTcp4Header) == not_ip);                  // a TCP header of 16 bytes
  CHECK(fault_of(with(kTcp4, 46, 0x70), kTcp4Header) == not_ip);                  // and of 28, beyond the frame
  CHECK(fault_of(with(kUso6, 63, 0x10), kUso6Header) == not_ip);                  // another length of UDP than of IPv6
  CHECK(fault_of(with(kTcp4, 23, 17), kTcp4Header) == other_protocol);
  CHECK(fault_of(kTcp4, but(kTcp4Header, [](auto& h) { h.gso_type = VirtioNetHeader::kGsoTcp6; })) == other_protocol);
  CHECK(fault_of(kTcp4, but(kTcp4Header, [](auto& h) { h.gso_type = VirtioNetHeader::kGsoUdpL4; })) == other_protocol);
  CHECK(fault_of(kUso6, but(kUso6Header, [](auto& h) { h.gso_type = VirtioNetHeader::kGsoUdp; })) == unsupported);
  CHECK(fault_of(kTcp4, but(kTcp4Header, [](auto& h) { h.flags = 0; })) == no_checksum);
  CHECK(fault_of(kUso6, but(kUso6Header, [](auto& h) { h.flags = VirtioNetHeader::kDataValid; })) == no_checksum);
  CHECK(fault_of(kTcp4, but(kTcp4Header, [](auto& h) { h.csum_start = 33; })) == other_checksum);
  CHECK(fault_of(kTcp4, but(kTcp4Header, [](auto& h) { h.csum_offset = 6; })) == other_checksum);
  CHECK(fault_of(kTcp4, but(kTcp4Header, [](auto& h) { h.gso_size = 0; })) == no_gso_size);
  CHECK(fault_of(kUfo4, but(kUfo4Header, [](auto& h) { h.gso_size = 7; })) == no_gso_size);
  CHECK(fault_of(kTcp4, but(kTcp4Header, [](auto& h) { h.gso_type = 2; })) == unknown_gso_type);
  CHECK(fault_of(kTcp4, but(kTcp4Header, [](auto& h) { h.hdr_len = 60; })) == header_outside);
  CHECK(fault_of(Bytes(13), {}) == short_frame);

  Bytes large = hex("020000000001020000000002 0800 45002000 00000000 40060000 0a630001 0a6300fe");
  append(large, hex("12340050 00000000 00000000 50102000 00000000"));
  large.resize(14 + 0x2000);  // 8,152 bytes of payload
  CHECK(fault_of(large, gso(VirtioNetHeader::kGsoTcp4, 3, 34, 16)) == too_many_frames);
  CHECK_FALSE(fault_of(large, gso(VirtioNetHeader::kGsoTcp4, 4, 34, 16)));
}

namespace {

struct Description {
  std::uint8_t gso_type = 0;  // without the ECN bit
  int version = 4;
  bool tcp = true;
  std::size_t vlan_tags = 0;
  std::size_t ip_extra = 0;   // bytes of options or extension headers; a multiple of 8
  std::size_t tcp_extra = 0;  // bytes of options; a multiple of 4
  std::size_t payload = 0;
  std::size_t gso_size = 0;
  bool ecn = false;
  bool ending = true;  // FIN and PSH are set

  std::size_t network() const { return 14 + 4 * vlan_tags; }
  std::size_t transport() const { return network() + (version == 4 ? 20 : 40) + ip_extra; }
  std::size_t transport_header() const { return tcp ? 20 + tcp_extra : 8; }
  std::size_t headers() const { return transport() + transport_header(); }
  VirtioNetHeader header() const {
    const std::uint8_t type = ecn ? gso_type | VirtioNetHeader::kGsoEcn : gso_type;
    return gso(type, gso_size, transport(), tcp ? 16 : 6);
  }
};

// The pseudo header of a packet whose IP header is whole.
Bytes pseudo_header(const Description& what, const Bytes& frame, std::size_t length) {
  Bytes bytes;
  const auto network = std::span(frame).subspan(what.network());
  append(bytes, what.version == 4 ? network.subspan(12, 8) : network.subspan(8, 32));
  if (what.version == 6) append16(bytes, 0);
  if (what.version == 4) append(bytes, hex(what.tcp ? "0006" : "0011"));
  append16(bytes, length);
  if (what.version == 6) append(bytes, hex(what.tcp ? "0006" : "0011"));
  return bytes;
}

Bytes build(const Description& what, std::mt19937& random) {
  Bytes frame = hex("020000000001020000000002");
  for (std::size_t i = 0; i < what.vlan_tags; ++i) append(frame, hex(i + 1 < what.vlan_tags ? "88a80064" : "81000005"));
  const std::size_t length = what.transport_header() + what.payload;
  const std::uint8_t protocol = what.tcp ? 6 : 17;
  if (what.version == 4) {
    append(frame, hex("0800"));
    frame.push_back(static_cast<std::uint8_t>(0x45 + what.ip_extra / 4));
    frame.push_back(0);
    append16(frame, 20 + what.ip_extra + length);
    append16(frame, random() & 0xffff);
    append(frame, hex("4000 40"));
    frame.push_back(protocol);
    append(frame, hex("dead 0a630001 0a6300fe"));  // the checksum is whatever it is
    frame.resize(frame.size() + what.ip_extra, 1);
  } else {
    append(frame, hex("86dd 60000000"));
    append16(frame, what.ip_extra + length);
    frame.push_back(what.ip_extra == 0 ? protocol : 0);
    append(frame, hex("40 fd000000000000000000000000000001 fd0000000000000000000000000000fe"));
    for (std::size_t left = what.ip_extra; left != 0; left -= 8) {
      frame.push_back(left == 8 ? protocol : 60);
      append(frame, hex("00 010400000000"));
    }
  }
  append16(frame, 0x1234);
  append16(frame, 80);
  if (what.tcp) {
    for (int i = 0; i < 4; ++i) append16(frame, random() & 0xffff);
    frame.push_back(static_cast<std::uint8_t>((5 + what.tcp_extra / 4) << 4));
    frame.push_back(static_cast<std::uint8_t>(0x10 | (what.ending ? 0x09 : 0) | (what.ecn ? 0x80 : 0)));
    append16(frame, 0x2000);
    append16(frame, plain_sum(pseudo_header(what, frame, length)));
    append16(frame, 0);
    frame.resize(frame.size() + what.tcp_extra, 1);
  } else {
    append16(frame, length);
    append16(frame, plain_sum(pseudo_header(what, frame, length)));
  }
  for (std::size_t i = 0; i < what.payload; ++i) frame.push_back(static_cast<std::uint8_t>(random()));
  return frame;
}

std::size_t read16(const Bytes& bytes, std::size_t at) { return std::size_t{bytes[at]} << 8 | bytes[at + 1]; }
std::size_t read32(const Bytes& bytes, std::size_t at) { return read16(bytes, at) << 16 | read16(bytes, at + 2); }

// Whether `packet`, from the frame's beginning, says its own length and holds right checksums.
void check_packet(const Description& what, const Bytes& packet) {
  const std::size_t ip = what.network();
  const std::size_t length = packet.size() - what.transport();
  if (what.version == 4) {
    CHECK(read16(packet, ip + 2) == packet.size() - ip);
    CHECK(plain_sum(std::span(packet).subspan(ip, 20 + what.ip_extra)) == 0xffff);
  } else {
    CHECK(read16(packet, ip + 4) == packet.size() - ip - 40);
  }
  if (!what.tcp) CHECK(read16(packet, what.transport() + 4) == length);
  if (!what.tcp) CHECK(read16(packet, what.transport() + 6) != 0);
  Bytes summed = pseudo_header(what, packet, length);
  append(summed, std::span(packet).subspan(what.transport()));
  CHECK(plain_sum(summed) == 0xffff);
}

void check_segments(const Description& what, const Bytes& frame, const std::vector<Bytes>& segments) {
  const std::size_t expected = what.payload == 0 ? 1 : (what.payload + what.gso_size - 1) / what.gso_size;
  REQUIRE(segments.size() == expected);
  Bytes payload;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Bytes& segment = segments[i];
    const bool first = i == 0, last = i + 1 == segments.size();
    REQUIRE(segment.size() >= what.headers());
    if (!last) CHECK(segment.size() == what.headers() + what.gso_size);
    check_packet(what, segment);
    // Whatever is not named above is as it was.
    Bytes neutral = segment, original(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(what.headers()));
    neutral.resize(what.headers());
    for (Bytes* bytes : {&neutral, &original}) {
      const auto zero = [&](std::size_t at, std::size_t size) {
        std::fill_n(bytes->begin() + static_cast<std::ptrdiff_t>(at), size, 0);
      };
      if (what.version == 4) {
        zero(what.network() + 2, 4);
        zero(what.network() + 10, 2);
      } else {
        zero(what.network() + 4, 2);
      }
      if (what.tcp) {
        zero(what.transport() + 4, 4);
        zero(what.transport() + 13, 1);
        zero(what.transport() + 16, 2);
      } else {
        zero(what.transport() + 4, 4);
      }
    }
    CHECK(neutral == original);
    if (what.version == 4)
      CHECK(read16(segment, what.network() + 4) == ((read16(frame, what.network() + 4) + i) & 0xffff));
    if (what.tcp) {
      const std::size_t tcp = what.transport();
      CHECK(read32(segment, tcp + 4) == ((read32(frame, tcp + 4) + payload.size()) & 0xffffffff));
      CHECK(segment[tcp + 13] == (0x10 | (last && what.ending ? 0x09 : 0) | (first && what.ecn ? 0x80 : 0)));
    }
    append(payload, std::span(segment).subspan(what.headers()));
  }
  CHECK(std::ranges::equal(payload, std::span(frame).subspan(what.headers())));
}

void check_fragments(const Description& what, const Bytes& frame, const std::vector<Bytes>& fragments) {
  const std::size_t piece = what.gso_size / 8 * 8;
  Bytes whole(fragments[0].begin(), fragments[0].begin() + static_cast<std::ptrdiff_t>(what.transport()));
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    const Bytes& fragment = fragments[i];
    const bool last = i + 1 == fragments.size();
    if (!last) CHECK(fragment.size() == what.transport() + piece);
    CHECK(read16(fragment, what.network() + 2) == fragment.size() - what.network());
    CHECK(read16(fragment, what.network() + 4) == read16(frame, what.network() + 4));
    CHECK(plain_sum(std::span(fragment).subspan(what.network(), 20 + what.ip_extra)) == 0xffff);
    if (fragments.size() > 1) CHECK(read16(fragment, what.network() + 6) == (i * piece / 8 | (last ? 0 : 0x2000)));
    append(whole, std::span(fragment).subspan(what.transport()));
  }
  REQUIRE(whole.size() == frame.size());
  // Put together again it is the datagram that was, with its checksum.
  Bytes summed = pseudo_header(what, whole, what.transport_header() + what.payload);
  append(summed, std::span(whole).subspan(what.transport()));
  CHECK(plain_sum(summed) == 0xffff);
  CHECK(std::ranges::equal(std::span(whole).subspan(what.headers()), std::span(frame).subspan(what.headers())));
}

const Description kKinds[] = {
    {.gso_type = VirtioNetHeader::kGsoTcp4, .version = 4, .tcp = true},
    {.gso_type = VirtioNetHeader::kGsoTcp6, .version = 6, .tcp = true},
    {.gso_type = VirtioNetHeader::kGsoUdpL4, .version = 4, .tcp = false},
    {.gso_type = VirtioNetHeader::kGsoUdpL4, .version = 6, .tcp = false},
    {.gso_type = VirtioNetHeader::kGsoUdp, .version = 4, .tcp = false},
};

Description random_description(std::mt19937& random, std::size_t most_payload) {
  Description what = kKinds[random() % std::size(kKinds)];
  what.vlan_tags = random() % 3;
  what.ip_extra = random() % 3 * 8;
  what.tcp_extra = what.tcp ? random() % 4 * 4 : 0;
  what.payload = random() % (most_payload + 1);
  what.gso_size = std::max<std::size_t>(8 + random() % 1500, what.payload / 1000);
  what.ecn = what.tcp && random() % 2 != 0;
  what.ending = random() % 2 != 0;
  return what;
}

}  // namespace

TEST_CASE("segmentation: against a model") {
  std::mt19937 random(20240607);
  for (int round = 0; round < 3'000; ++round) {
    const auto what = random_description(random, round % 100 == 0 ? 65'400 : 6'000);
    const Bytes frame = build(what, random);
    auto segmenter = Segmenter::of(frame, what.header());
    REQUIRE(segmenter);
    const auto frames = all_of(*segmenter);
    CHECK(segmenter->longest() == std::ranges::max(frames, {}, &Bytes::size).size());
    if (what.gso_type == VirtioNetHeader::kGsoUdp)
      check_fragments(what, frame, frames);
    else
      check_segments(what, frame, frames);
  }
}

TEST_CASE("segmentation: the largest packet, and payload that comes out even") {
  std::mt19937 random(1);
  for (Description what : kKinds) {
    what.gso_size = 1448;
    what.payload = (what.version == 4 ? 65'535 - 20 : 65'535) - what.transport_header();
    const Bytes frame = build(what, random);
    CHECK(segments_of(frame, what.header()).size() >= 45);
    what.payload = what.gso_type == VirtioNetHeader::kGsoUdp ? 2 * 1448 - 8 : 2 * 1448;
    CHECK(segments_of(build(what, random), what.header()).size() == 2);
    what.payload = 0;
    CHECK(segments_of(build(what, random), what.header()).size() == 1);
  }
}

TEST_CASE("segmentation: any bytes are refused or come out, within bounds") {
  std::mt19937 random(42);
  std::size_t segmented = 0;
  Bytes out;
  for (int round = 0; round < 200'000; ++round) {
    const auto what = random_description(random, 200);
    Bytes frame = build(what, random);
    VirtioNetHeader header = what.header();
    Bytes raw(VirtioNetHeader::kSize);
    header.encode(raw);
    for (auto flips = random() % 4; flips != 0; --flips) {
      // Mostly where headers are.
      Bytes& target = random() % 4 == 0 ? raw : frame;
      const std::size_t reach = std::min<std::size_t>(target.size(), random() % 8 == 0 ? target.size() : 80);
      target[random() % reach] = static_cast<std::uint8_t>(random() % 2 == 0 ? random() : random() % 4);
    }
    header = *VirtioNetHeader::decode(raw);
    if (random() % 8 == 0) frame.resize(random() % frame.size());
    frame.shrink_to_fit();  // so that the address sanitizer sees its end
    auto segmenter = Segmenter::of(frame, header);
    if (!segmenter) continue;
    ++segmented;
    REQUIRE(segmenter->frames() <= Segmenter::kMostFrames);
    REQUIRE(segmenter->longest() <= frame.size());
    out.assign(segmenter->longest(), 0);
    out.shrink_to_fit();
    std::size_t produced = 0;
    while (!segmenter->done()) {
      const std::size_t size = segmenter->next(out);
      REQUIRE(size != 0);
      REQUIRE(size <= out.size());
      ++produced;
    }
    REQUIRE(produced == segmenter->frames());
  }
  // Enough of them got so far that the test means something.
  CHECK(segmented > 50'000);
}
