#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "libumlnet/core/internet_checksum.h"
#include "tests/unit/frames.h"

using namespace umlnet;

TEST_CASE("checksum: the example of RFC 1071") {
  const Bytes bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  CHECK(InternetChecksum().add(bytes).sum() == 0xddf2);
  CHECK(InternetChecksum().add(bytes).value() == 0x220d);
}

TEST_CASE("checksum: an IPv4 header") {
  Bytes header{0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
               0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
  CHECK(InternetChecksum().add(header).value() == 0xb861);
  header[10] = 0xb8;
  header[11] = 0x61;
  CHECK(InternetChecksum().add(header).sum() == 0xffff);
}

TEST_CASE("checksum: nothing, one byte, all zeros, all ones") {
  CHECK(InternetChecksum().sum() == 0);
  CHECK(InternetChecksum().add(Bytes{0x12}).sum() == 0x1200);
  CHECK(InternetChecksum().add(Bytes(100, 0)).sum() == 0);
  CHECK(InternetChecksum().add(Bytes(65536, 0xff)).sum() == 0xffff);
}

TEST_CASE("checksum: parts of any size add up to the whole") {
  std::mt19937 random(1);
  for (int round = 0; round < 2'000; ++round) {
    Bytes bytes(random() % 300);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    InternetChecksum checksum;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 80, bytes.size() - at);
      checksum.add(std::span(bytes).subspan(at, size));
      at += size;
    }
    CHECK(checksum.sum() == plain_sum(bytes));
    CHECK(InternetChecksum().add(bytes).sum() == plain_sum(bytes));
  }
}

TEST_CASE("checksum: a word taken out again") {
  const Bytes bytes{0x12, 0x34, 0x56, 0x78};
  CHECK(InternetChecksum().add(bytes).subtract_word(0x5678).sum() == 0x1234);
  CHECK(InternetChecksum().add(bytes).subtract_word(0x1234).add_word(0x4321).sum() == 0x9999);
}

TEST_CASE("checksum: pseudo headers") {
  const Bytes v4{10, 99, 0, 1, 10, 99, 0, 254, 0, 6, 0x12, 0x34};
  CHECK(InternetChecksum().add_pseudo_header(*Ipv4::parse("10.99.0.1"), *Ipv4::parse("10.99.0.254"), 6, 0x1234).sum() ==
        plain_sum(v4));
  Bytes v6(40);
  v6[0] = v6[16] = 0xfd;
  v6[15] = 1;
  v6[30] = 0xab;
  v6[31] = 2;
  v6[33] = 1;  // a length of 65,536 + 0x1234
  v6[34] = 0x12;
  v6[35] = 0x34;
  v6[39] = 17;
  CHECK(InternetChecksum().add_pseudo_header(*Ipv6::parse("fd00::1"), *Ipv6::parse("fd00::ab02"), 17, 0x11234).sum() ==
        plain_sum(v6));
}
