// Joined frames byte by byte; each thing that forbids joining; and at random, that cutting gives back what was joined.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <utility>

#include "libumlnet/client/checksum_offload.h"
#include "libumlnet/client/receive_coalescing.h"
#include "libumlnet/client/segmentation_offload.h"
#include "libumlnet/core/internet_checksum.h"
#include "libumlnet/core/network_order.h"
#include "tests/unit/frames.h"

using namespace umlnet;

namespace {

constexpr std::uint8_t kAck = 0x10, kPsh = 0x08, kFin = 0x01;

// A TCP segment by its description.
struct Segment {
  int version = 4;
  bool tagged = false;
  std::uint8_t traffic_class = 0;
  std::uint16_t id = 0x1234;
  std::uint16_t fragment = 0x4000;
  std::uint8_t hops = 64;
  std::uint32_t flow_label = 0;
  std::uint8_t last_address_byte = 2;
  std::uint16_t port = 5001;
  std::uint32_t sequence = 1000, acknowledgment = 77;
  std::uint8_t reserved = 0, flags = kAck;
  std::uint16_t window = 501, urgent = 0;
  Bytes options = {};
  Bytes payload = Bytes(100, 0x5a);
  Bytes behind = {};       // the packet, in the same frame
  bool partial = false;    // its checksum is left to be finished
  unsigned checksum = {};  // added to the right one
  unsigned ip_checksum = {};

  std::size_t network() const { return tagged ? 18 : 14; }
  std::size_t transport() const { return network() + (version == 4 ? 20 : 40); }

  VirtioNetHeader offload() const {
    if (!partial) return {};
    return {.flags = VirtioNetHeader::kNeedsChecksum,
            .csum_start = static_cast<std::uint16_t>(transport()),
            .csum_offset = 16};
  }

  Bytes frame() const {
    Bytes bytes = hex("020000000001020000000002");
    if (tagged) append(bytes, hex("81000005"));
    append16(bytes, version == 4 ? 0x0800 : 0x86dd);
    const std::size_t tcp_size = 20 + options.size() + payload.size();
    Bytes pseudo;
    if (version == 4) {
      append(bytes, Bytes{0x45, traffic_class});
      append16(bytes, 20 + tcp_size);
      append16(bytes, id);
      append16(bytes, fragment);
      append(bytes, Bytes{hops, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, last_address_byte});
      const auto header = std::span(bytes).last(20);
      put_be16(header, 10, static_cast<std::uint16_t>(~plain_sum(header) + ip_checksum));
      append(pseudo, header.last(8));
    } else {
      append16(bytes, std::size_t{6} << 12 | std::size_t{traffic_class} << 4 | flow_label >> 16);
      append16(bytes, flow_label & 0xffff);
      append16(bytes, tcp_size);
      append(bytes, Bytes{6, hops});
      append(bytes, hex("fd000000000000000000000000000001fd0000000000000000000000000000"));
      bytes.push_back(last_address_byte);
      append(pseudo, std::span(bytes).last(32));
    }
    append16(pseudo, 6);
    append16(pseudo, tcp_size);
    Bytes tcp;
    append16(tcp, 40000);
    append16(tcp, port);
    for (const std::uint32_t number : {sequence, acknowledgment}) {
      append16(tcp, number >> 16);
      append16(tcp, number & 0xffff);
    }
    append(tcp, Bytes{static_cast<std::uint8_t>((20 + options.size()) / 4 << 4 | reserved), flags});
    append16(tcp, window);
    append16(tcp, 0);
    append16(tcp, urgent);
    append(tcp, options);
    append(tcp, payload);
    if (!partial) append(pseudo, tcp);
    const unsigned sum = plain_sum(pseudo);
    put_be16(tcp, 16, static_cast<std::uint16_t>((partial ? sum : ~sum) + checksum));
    append(bytes, tcp);
    append(bytes, behind);
    return bytes;
  }

  // What follows on it in the same stream.
  Segment next(std::size_t size) const {
    Segment segment = *this;
    ++segment.id;
    segment.sequence += static_cast<std::uint32_t>(payload.size());
    segment.payload = Bytes(size, 0xa5);
    return segment;
  }
};

struct Joined {
  Bytes frame;
  VirtioNetHeader header;
  std::size_t frames = 0;
};

// As many of the segments, from the first one on, as can be joined.
Joined join(const std::vector<Segment>& segments, Coalescer::Versions versions = {}) {
  Coalescer coalescer(versions);
  Joined joined{.frame = segments.front().frame(), .header = segments.front().offload(), .frames = 1};
  Bytes payload;
  if (!coalescer.begin(joined.frame, joined.header)) return joined;
  for (std::size_t i = 1; i < segments.size(); ++i) {
    const Bytes frame = segments[i].frame();
    if (!coalescer.add(frame, segments[i].offload())) break;
    append(payload, std::span(frame).subspan(coalescer.headers()));
  }
  joined.frames = coalescer.frames();
  const Bytes before = joined.frame;
  if (joined.frames > 1) joined.header = coalescer.finish();
  if (joined.frames == 1) CHECK(joined.frame == before);
  append(joined.frame, payload);
  return joined;
}

std::size_t joins(const Segment& first, const Segment& second) { return join({first, second}).frames == 2; }

std::vector<Bytes> cut(const Joined& joined) {
  auto segmenter = Segmenter::of(joined.frame, joined.header);
  REQUIRE(segmenter);
  std::vector<Bytes> frames;
  Bytes out(segmenter->longest());
  while (!segmenter->done()) {
    const auto size = static_cast<std::ptrdiff_t>(segmenter->next(out));
    REQUIRE(size != 0);
    frames.emplace_back(out.begin(), out.begin() + size);
  }
  return frames;
}

}  // namespace

TEST_CASE("coalescing: TCP over IPv4, byte by byte; identification and sequence number wrap") {
  // What test_segmentation_offload.cc has of one frame, backwards.
  Bytes first =
      hex("02000000000102000000000208004500002affff40004006250a0a6300010a6300fe12340050fffffffe0102030450102000"
          "fb1f00006865");
  const Bytes second =
      hex("02000000000102000000000208004500002a000040004006250a0a6300010a6300fe12340050000000000102030450102000"
          "f71700006c6c");
  const Bytes third =
      hex("020000000001020000000002080045000029000140004006250a0a6300010a6300fe12340050000000020102030450192000"
          "f47900006f");
  Coalescer coalescer({});
  REQUIRE(coalescer.begin(first, {}));
  REQUIRE(coalescer.add(second, {}));
  REQUIRE(coalescer.add(third, {}));
  CHECK_FALSE(coalescer.add(third, {}));
  CHECK(coalescer.frames() == 3);
  CHECK(coalescer.headers() == 54);
  const auto header = coalescer.finish();
  CHECK(header == VirtioNetHeader{.flags = 1,
                                  .gso_type = VirtioNetHeader::kGsoTcp4,
                                  .hdr_len = 54,
                                  .gso_size = 2,
                                  .csum_start = 34,
                                  .csum_offset = 16});
  CHECK(first ==
        hex("02000000000102000000000208004500002dffff4000400625070a6300010a6300fe12340050fffffffe0102030450192000"
            "15e400006865"));
}

TEST_CASE("coalescing: what follows is joined, over IPv4 and IPv6, tagged or not, finished or not") {
  for (const int version : {4, 6})
    for (const bool tagged : {false, true})
      for (const bool partial : {false, true}) {
        CAPTURE(version);
        CAPTURE(tagged);
        CAPTURE(partial);
        Segment a{.version = version, .tagged = tagged, .traffic_class = 2, .flow_label = 0x54321, .partial = partial};
        a.options = hex("0101080a0000000100000002");
        const Segment b = a.next(100), c = b.next(99), d = c.next(99);
        const Joined joined = join({a, b, c, d});
        CHECK(joined.frames == 3);  // none behind the shorter one
        CHECK(joined.header.gso_size == 100);
        CHECK(joined.frame.size() == a.transport() + 32 + 299);
        CHECK(join({a, b}, {.ipv4 = version == 6, .ipv6 = version == 4}).frames == 1);
      }
}

TEST_CASE("coalescing: whatever is different, or is more than a plain segment, is left as it is") {
  struct Change {
    const char* what;
    std::function<void(Segment&)> make;
    bool in_both = false;  // also where both segments have it
  };
  const Change changes[] = {
      {"tag", [](Segment& s) { s.tagged = true; }},
      {"type of service", [](Segment& s) { s.traffic_class = 0x10; }},
      {"congestion experienced", [](Segment& s) { s.traffic_class = 3; }, true},
      {"time to live", [](Segment& s) { s.hops = 63; }},
      {"address", [](Segment& s) { s.last_address_byte = 3; }},
      {"port", [](Segment& s) { s.port = 5002; }},
      {"sequence number", [](Segment& s) { ++s.sequence; }},
      {"acknowledgment number", [](Segment& s) { ++s.acknowledgment; }},
      {"window", [](Segment& s) { ++s.window; }},
      {"reserved bits", [](Segment& s) { s.reserved = 1; }, true},
      {"urgent", [](Segment& s) { s.flags |= 0x20; }, true},
      {"urgent pointer", [](Segment& s) { s.urgent = 1; }, true},
      {"SYN", [](Segment& s) { s.flags |= 0x02; }, true},
      {"RST", [](Segment& s) { s.flags |= 0x04; }, true},
      {"CWR", [](Segment& s) { s.flags |= 0x80; }, true},
      {"ECE", [](Segment& s) { s.flags |= 0x40; }},
      {"no ACK", [](Segment& s) { s.flags = 0; }, true},
      {"more options", [](Segment& s) { s.options = hex("01010101"); }},
      {"no payload", [](Segment& s) { s.payload.clear(); }, true},
      {"longer payload", [](Segment& s) { s.payload.push_back(0); }},
      {"padding", [](Segment& s) { s.behind = Bytes(4); }, true},
      {"wrong checksum", [](Segment& s) { s.checksum = 1; }, true},
      {"unfinished checksum", [](Segment& s) { s.partial = true; }},
  };
  const Change ipv4[] = {
      {"identification", [](Segment& s) { ++s.id; }},
      {"may be fragmented", [](Segment& s) { s.fragment = 0; }},
      {"fragment", [](Segment& s) { s.fragment = 0x2000; }, true},
      {"wrong header checksum", [](Segment& s) { s.ip_checksum = 1; }, true},
  };
  const Change ipv6[] = {{"flow label", [](Segment& s) { s.flow_label = 1; }}};

  for (const int version : {4, 6})
    for (const bool partial : {false, true}) {
      const Segment a{.version = version, .partial = partial}, b = a.next(100);
      REQUIRE(joins(a, b));
      const auto refuses = [&](const Change& change) {
        CAPTURE(change.what);
        CAPTURE(version);
        CAPTURE(partial);
        Segment changed_a = a, changed_b = b;
        change.make(changed_a);
        change.make(changed_b);
        if (partial && changed_a.frame() == a.frame()) return;
        CHECK_FALSE(joins(a, changed_b));
        if (change.in_both) CHECK_FALSE(joins(changed_a, changed_a.next(100)));
      };
      for (const auto& change : changes) refuses(change);
      for (const auto& change : version == 4 ? std::span<const Change>(ipv4) : std::span<const Change>(ipv6))
        refuses(change);
    }

  // A timestamp that is another one.
  Segment a;
  a.options = hex("0101080a0000000100000002");
  Segment b = a.next(100);
  REQUIRE(joins(a, b));
  b.options.back() = 3;
  CHECK_FALSE(joins(a, b));
  // A virtio-net header that is about something else.
  Bytes frame = a.frame();
  const Bytes next = a.next(100).frame();
  Coalescer coalescer({});
  CHECK_FALSE(coalescer.begin(frame, {.flags = 1, .csum_start = 34, .csum_offset = 6}));
  CHECK_FALSE(coalescer.begin(frame, {.flags = 1, .gso_type = 1, .gso_size = 50, .csum_start = 34, .csum_offset = 16}));
  REQUIRE(coalescer.begin(frame, {}));
  CHECK_FALSE(coalescer.add(next, {.flags = 1, .csum_start = 34, .csum_offset = 6}));
  // No TCP, and nothing at all.
  Bytes udp = a.frame();
  udp[23] = 17;
  CHECK_FALSE(coalescer.begin(udp, {}));
  Bytes empty;
  CHECK_FALSE(coalescer.begin(empty, {}));
}

TEST_CASE("coalescing: PSH and FIN end the joined frame, and stand in it") {
  for (const std::uint8_t flag : {kPsh, kFin}) {
    const Segment a;
    Segment b = a.next(100);
    b.flags |= flag;
    CHECK(joins(a, b));
    const Joined joined = join({a, b, b.next(100)});
    CHECK(joined.frames == 2);
    CHECK(joined.frame[a.transport() + 13] == (kAck | flag));
    Segment first;
    first.flags |= flag;
    CHECK_FALSE(joins(first, first.next(100)));
  }
}

TEST_CASE("coalescing: no longer than an IP packet can be") {
  for (const int version : {4, 6}) {
    Segment segment{.version = version};
    segment.payload = Bytes(1460);
    std::vector<Segment> many;
    for (int i = 0; i < 60; ++i) {
      many.push_back(segment);
      segment = segment.next(1460);
    }
    const Joined joined = join(many);
    CHECK(joined.frames == 44);
    CHECK(joined.frame.size() - 14 <= 65535);
  }
}

TEST_CASE("coalescing: a checksum of zero written the other way is right, but would not come back") {
  Segment a;
  a.payload = Bytes(100);
  // The payload is chosen so that the checksum comes to zero.
  const Bytes frame = a.frame();
  const std::uint16_t checksum = get_be16(frame, a.transport() + 16);
  put_be16(a.payload, 0, checksum);
  Bytes zero = a.frame();
  REQUIRE(get_be16(zero, a.transport() + 16) == 0);
  const Bytes next = a.next(100).frame();
  Coalescer coalescer({});
  REQUIRE(coalescer.begin(zero, {}));
  CHECK(coalescer.add(next, {}));
  put_be16(zero, a.transport() + 16, 0xffff);
  REQUIRE(coalescer.begin(zero, {}));
  CHECK_FALSE(coalescer.add(next, {}));
}

TEST_CASE("coalescing: cutting gives back what was joined") {
  std::mt19937 random(20261124);  // NOLINT(cert-msc51-cpp): the same frames in every run
  const auto pick = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  std::size_t all_joined = 0;
  for (int round = 0; round < 3000; ++round) {
    Segment segment{.version = pick(2) != 0 ? 4 : 6, .tagged = pick(4) == 0, .partial = pick(4) == 0};
    segment.traffic_class = static_cast<std::uint8_t>(pick(3));
    segment.flow_label = static_cast<std::uint32_t>(random()) & 0xfffff;
    segment.id = static_cast<std::uint16_t>(random());
    segment.sequence = static_cast<std::uint32_t>(random());
    segment.acknowledgment = static_cast<std::uint32_t>(random());
    segment.window = static_cast<std::uint16_t>(random());
    if (pick(2) != 0) segment.options = hex("0101080a0000000100000002");
    const std::size_t size = 1 + pick(1460);
    std::vector<Segment> segments;
    std::vector<Bytes> finished;
    for (std::size_t i = 0; i < 2 + pick(20); ++i) {
      segment.payload.resize(pick(30) == 0 ? 1 + pick(size + 1) : size);
      for (auto& byte : segment.payload) byte = static_cast<std::uint8_t>(random());
      segment.flags = static_cast<std::uint8_t>(kAck | (pick(20) == 0 ? kPsh : 0) | (pick(40) == 0 ? kFin : 0));
      segments.push_back(segment);
      Bytes frame = segment.frame();
      REQUIRE(finish_checksum(frame, segment.offload()));
      finished.push_back(std::move(frame));
      segment = segment.next(size);
      if (pick(40) == 0) ++segment.window;
    }
    const Joined joined = join(segments);
    if (joined.frames < 2) continue;
    all_joined += joined.frames;
    finished.resize(joined.frames);
    REQUIRE(cut(joined) == finished);
  }
  CHECK(all_joined > 10'000);
}
