#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>

#include "libumlnet/core/ipv4.h"

namespace umlnet {
namespace {

using namespace std::string_view_literals;

TEST_CASE("ipv4: addresses go there and back") {
  struct Row {
    std::string_view text;
    std::uint32_t value;
  };
  static constexpr Row kRows[] = {
      {"0.0.0.0", 0x00000000},     {"255.255.255.255", 0xffffffff}, {"1.2.3.4", 0x01020304},
      {"10.99.0.254", 0x0a6300fe}, {"192.168.0.1", 0xc0a80001},     {"127.0.0.1", 0x7f000001},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.text);
    const auto address = Ipv4::parse(row.text);
    REQUIRE(address.has_value());
    CHECK(address->value() == row.value);
    CHECK(address->str() == row.text);
    CHECK(Ipv4::from_bytes(address->bytes()) == *address);
  }
  CHECK(Ipv4::from_bytes({1, 2, 3, 4}).value() == 0x01020304);
}

TEST_CASE("ipv4: what is not an address") {
  static constexpr std::string_view kRows[] = {
      "",
      " ",
      "1",
      "1.2.3",
      "1.2.3.",
      ".1.2.3",
      "1..2.3",
      "1.2.3.4.5",
      "1.2.3.4.",
      "1.2.3.4 ",
      " 1.2.3.4",
      "1.2.3.4\n",
      "256.0.0.1",
      "1.2.3.256",
      "1.2.3.4294967297",
      "-1.2.3.4",
      "+1.2.3.4",
      "01.2.3.4",
      "1.2.3.04",
      "00.0.0.0",
      "0x1.2.3.4",
      "0x01020304",
      "16909060",
      "1.2.3.4/32",
      "1.2.3.a",
      "a.b.c.d",
      "localhost",
      "1,2,3,4",
      "1.2.3.4\0"sv,
      "1.2.3.4\0x"sv,
      "\0"sv,
      "::1",
      "::ffff:1.2.3.4",
      "1.2.3.\xd9\xa4",
  };
  for (const auto text : kRows) {
    CAPTURE(text);
    CHECK_FALSE(Ipv4::parse(text).has_value());
    CHECK_FALSE(Ipv4Mask::parse(text).has_value());
  }
}

TEST_CASE("ipv4: every prefix length is a netmask, and back") {
  for (unsigned length = 0; length <= 32; ++length) {
    CAPTURE(length);
    const Ipv4Mask mask(length);
    const auto parsed = Ipv4Mask::parse(mask.str());
    REQUIRE(parsed.has_value());
    CHECK(parsed->length() == length);
    CHECK(*parsed == mask);
  }
  CHECK(Ipv4Mask(0).str() == "0.0.0.0");
  CHECK(Ipv4Mask(1).str() == "128.0.0.0");
  CHECK(Ipv4Mask(24).str() == "255.255.255.0");
  CHECK(Ipv4Mask(31).str() == "255.255.255.254");
  CHECK(Ipv4Mask(32).str() == "255.255.255.255");
  CHECK(Ipv4Mask().length() == 32);
}

TEST_CASE("ipv4: netmasks with a hole or from the wrong side are refused") {
  for (const auto text : {"255.0.255.0", "0.255.255.255", "0.0.0.1", "255.255.255.253", "254.255.0.0", "127.0.0.0",
                          "255.255.0.1", "0.0.0.255"}) {
    CAPTURE(text);
    CHECK(Ipv4::parse(text).has_value());
    CHECK_FALSE(Ipv4Mask::parse(text).has_value());
  }
}

TEST_CASE("ipv4: network and broadcast address") {
  const Ipv4 address(0x0a630105);  // 10.99.1.5
  CHECK(Ipv4Mask(24).network_of(address).str() == "10.99.1.0");
  CHECK(Ipv4Mask(24).broadcast_of(address).str() == "10.99.1.255");
  CHECK(Ipv4Mask(0).network_of(address).str() == "0.0.0.0");
  CHECK(Ipv4Mask(0).broadcast_of(address).str() == "255.255.255.255");
  CHECK(Ipv4Mask(32).network_of(address) == address);
  CHECK(Ipv4Mask(32).broadcast_of(address) == address);
}

TEST_CASE("ipv4: special purpose, at both edges of each range") {
  struct Row {
    std::string_view text, range;  // an empty range: an ordinary address
  };
  static constexpr Row kRows[] = {
      {"0.0.0.0", "0.0.0.0/8"},
      {"0.255.255.255", "0.0.0.0/8"},
      {"1.0.0.0", ""},
      {"126.255.255.255", ""},
      {"127.0.0.0", "127.0.0.0/8"},
      {"127.255.255.255", "127.0.0.0/8"},
      {"128.0.0.0", ""},
      {"169.253.255.255", ""},
      {"169.254.0.0", ""},
      {"169.255.0.0", ""},
      {"223.255.255.255", ""},
      {"224.0.0.0", "224.0.0.0/4"},
      {"239.255.255.255", "224.0.0.0/4"},
      {"240.0.0.0", "240.0.0.0/4"},
      {"255.255.255.255", "240.0.0.0/4"},
      {"10.0.0.1", ""},
      {"192.168.0.254", ""},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.text);
    const auto why = special_purpose(Ipv4::parse(row.text).value());
    CHECK(why.has_value() == !row.range.empty());
    if (why) CHECK(why->starts_with(row.range));
  }
}

}  // namespace
}  // namespace umlnet
