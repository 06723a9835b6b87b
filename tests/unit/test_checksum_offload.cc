#include <doctest/doctest.h>

#include <utility>

#include "libumlnet/client/checksum_offload.h"
#include "tests/unit/frames.h"

using namespace umlnet;

namespace {

// IPv4 and UDP from 10.99.0.1 to 10.99.0.254; the checksum's field is the last but the payload.
Bytes udp_frame(std::uint16_t field, std::span<const std::uint8_t> payload) {
  Bytes bytes = hex("020000000001020000000002 0800 4500001e 12344000 401112d7 0a630001 0a6300fe 11112222");
  append16(bytes, 8 + payload.size());
  append16(bytes, field);
  append(bytes, payload);
  return bytes;
}

constexpr VirtioNetHeader kUdp{.flags = VirtioNetHeader::kNeedsChecksum, .csum_start = 34, .csum_offset = 6};

// The pseudo header as it stands before a datagram with 2 bytes of payload.
std::uint16_t pseudo_sum() { return plain_sum(hex("0a630001 0a6300fe 0011 000a")); }

}  // namespace

TEST_CASE("checksum offload: finished in place") {
  Bytes frame = udp_frame(pseudo_sum(), hex("4142"));
  REQUIRE(finish_checksum(frame, kUdp));
  CHECK(frame == udp_frame(0x75a0, hex("4142")));
  Bytes summed = hex("0a630001 0a6300fe 0011 000a");
  append(summed, std::span(frame).subspan(34));
  CHECK(plain_sum(summed) == 0xffff);
}

TEST_CASE("checksum offload: a UDP checksum of zero is sent as ones, any other is not") {
  // The payload takes the sum to 0xffff.
  Bytes payload;
  append16(payload, static_cast<std::uint16_t>(~plain_sum(hex("0a630001 0a6300fe 0011 000a 11112222 000a"))));
  Bytes frame = udp_frame(pseudo_sum(), payload);
  REQUIRE(finish_checksum(frame, kUdp));
  CHECK(frame == udp_frame(0xffff, payload));

  Bytes icmp = hex("020000000001020000000002 0800 ffff 0000 0000");
  REQUIRE(finish_checksum(icmp, {.flags = VirtioNetHeader::kNeedsChecksum, .csum_start = 14, .csum_offset = 2}));
  CHECK(icmp == hex("020000000001020000000002 0800 ffff 0000 0000"));
}

TEST_CASE("checksum offload: a frame that needs none stays as it is") {
  const Bytes before = udp_frame(0x1234, hex("4142"));
  for (const std::uint8_t flags : {std::uint8_t{0}, VirtioNetHeader::kDataValid}) {
    Bytes frame = before;
    CHECK(finish_checksum(frame, {.flags = flags, .csum_start = 34, .csum_offset = 6}));
    CHECK(frame == before);
  }
}

TEST_CASE("checksum offload: a checksum outside of the frame changes nothing") {
  const Bytes before = udp_frame(pseudo_sum(), hex("4142"));
  for (const auto& [start, offset] : {std::pair{0, 6}, {13, 6}, {34, 9}, {43, 0}, {44, 0}, {65535, 65535}}) {
    Bytes frame = before;
    const auto finished = finish_checksum(frame, {.flags = VirtioNetHeader::kNeedsChecksum,
                                                  .csum_start = static_cast<std::uint16_t>(start),
                                                  .csum_offset = static_cast<std::uint16_t>(offset)});
    REQUIRE_FALSE(finished);
    CHECK(finished.error() == OffloadFault::checksum_outside);
    CHECK(frame == before);
  }
}
