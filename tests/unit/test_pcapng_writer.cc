// The blocks byte for byte, as a little-endian machine writes them. What other programs make of a whole file is seen in
// tests/captures.
#include <doctest/doctest.h>

#include <bit>
#include <functional>
#include <string>

#include "libumlnet/client/pcapng_writer.h"
#include "tests/unit/frames.h"

using namespace umlnet;

static_assert(std::endian::native == std::endian::little, "the bytes below are of a little-endian machine");

namespace {

// What `put` writes; and that it writes nothing where a byte is missing.
Bytes written(const std::function<std::size_t(std::span<std::uint8_t>)>& put) {
  Bytes out(1000, 0xee);
  const std::size_t size = put(out);
  REQUIRE(size != 0);
  CHECK(out[size] == 0xee);
  Bytes small(size - 1, 0xee);
  CHECK(put(small) == 0);
  CHECK(small == Bytes(size - 1, 0xee));
  out.resize(size);
  return out;
}

constexpr std::uint64_t kTime = 0x17d5f2a3'01020304;

}  // namespace

TEST_CASE("pcapng: the section header") {
  CHECK(written([](auto out) { return pcapng::put_section(out, "umlnet 0.1.0"); }) ==
        hex("0a0d0d0a 30000000 4d3c2b1a 0100 0000 ffffffffffffffff"
            "0400 0c00 756d6c6e657420302e312e30 0000 0000 30000000"));
  CHECK(written([](auto out) { return pcapng::put_section(out, ""); }) ==
        hex("0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000"));
}

TEST_CASE("pcapng: an interface") {
  CHECK(written([](auto out) {
          return pcapng::put_interface(out, {.name = "tap0", .description = "guest", .snap_length = 128});
        }) == hex("01000000 34000000 0100 0000 80000000"
                  "0200 0400 74617030 0300 0500 6775657374000000 0900 0100 09000000 0000 0000 34000000"));
  CHECK(written([](auto out) { return pcapng::put_interface(out, {}); }) ==
        hex("01000000 20000000 0100 0000 00000000 0900 0100 09000000 0000 0000 20000000"));
  const std::string endless(5000, 'x');
  const auto cut = written([&](auto out) { return pcapng::put_interface(out, {.name = endless, .description = ""}); });
  CHECK(cut.size() == 32 + 4 + 256);
}

TEST_CASE("pcapng: a packet, whole, with its direction and what was lost before it") {
  const Bytes frame = hex("020000000001 020000000002 0800 4142 43");
  CHECK(written([&](auto out) {
          return pcapng::put_packet(
              out,
              {.interface = 1, .time = kTime, .direction = pcapng::Direction::outbound, .dropped = 7, .frame = frame});
        }) == hex("06000000 4c000000 01000000 a3f2d517 04030201 11000000 11000000"
                  "020000000001 020000000002 0800 4142 43 000000"
                  "0200 0400 02000000 0400 0800 0700000000000000 0000 0000 4c000000"));
  CHECK(written([&](auto out) { return pcapng::put_packet(out, {.time = kTime, .frame = frame}); }) ==
        hex("06000000 34000000 00000000 a3f2d517 04030201 11000000 11000000"
            "020000000001 020000000002 0800 4142 43 000000 34000000"));
}

TEST_CASE("pcapng: of a long packet, the snap length") {
  const Bytes frame = hex("020000000001 020000000002 0800 4142");
  CHECK(written([&](auto out) {
          return pcapng::put_packet(out, {.time = kTime, .direction = pcapng::Direction::inbound, .frame = frame}, 14);
        }) == hex("06000000 3c000000 00000000 a3f2d517 04030201 0e000000 10000000"
                  "020000000001 020000000002 0800 0000 0200 0400 01000000 0000 0000 3c000000"));
  for (const std::uint32_t snap_length : {0U, 16U, 17U, 0xffffffffU})
    CHECK(written([&](auto out) { return pcapng::put_packet(out, {.frame = frame}, snap_length); }).size() == 48);
}

TEST_CASE("pcapng: the room for a packet is told beforehand") {
  for (std::size_t size = 0; size < 9; ++size) {
    const Bytes frame(size);
    Bytes out(pcapng::packet_block_size(size));
    const std::size_t used = pcapng::put_packet(
        out, {.direction = pcapng::Direction::inbound, .dropped = ~std::uint64_t{0}, .frame = frame});
    CHECK(used == out.size());
  }
}

TEST_CASE("pcapng: the statistics of an interface") {
  CHECK(written([](auto out) {
          return pcapng::put_statistics(
              out, {.interface = 1, .start = kTime, .end = kTime + 5, .received = 1000, .dropped = 3});
        }) == hex("05000000 4c000000 01000000 a3f2d517 09030201"
                  "0200 0800 a3f2d517 04030201 0300 0800 a3f2d517 09030201"
                  "0400 0800 e803000000000000 0500 0800 0300000000000000 0000 0000 4c000000"));
}
