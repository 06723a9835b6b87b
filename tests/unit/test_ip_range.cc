#include <doctest/doctest.h>

#include <string_view>

#include "libumlnet/core/ip_range.h"

namespace umlnet {
namespace {

using namespace std::string_view_literals;

bool contains(std::string_view range, std::string_view address) {
  const auto parsed = IpRange::parse(range);
  REQUIRE_MESSAGE(parsed.has_value(), range);
  if (const auto v4 = Ipv4::parse(address)) return parsed->contains(*v4);
  const auto v6 = Ipv6::parse(address);
  REQUIRE_MESSAGE(v6.has_value(), address);
  return parsed->contains(*v6);
}

TEST_CASE("ip range: what is in it") {
  struct Row {
    std::string_view range, address;
    bool expected;
  };
  static constexpr Row kRows[] = {
      {"0.0.0.0/0", "0.0.0.0", true},
      {"0.0.0.0/0", "255.255.255.255", true},
      {"0.0.0.0/0", "::", false},
      {"0.0.0.0/0", "::ffff:1.2.3.4", false},
      {"128.0.0.0/1", "128.0.0.0", true},
      {"128.0.0.0/1", "127.255.255.255", false},
      {"10.99.0.0/16", "10.99.0.0", true},
      {"10.99.0.0/16", "10.99.255.255", true},
      {"10.99.0.0/16", "10.98.255.255", false},
      {"10.99.0.0/16", "10.100.0.0", false},
      {"10.50.0.32/27", "10.50.0.31", false},
      {"10.50.0.32/27", "10.50.0.32", true},
      {"10.50.0.32/27", "10.50.0.63", true},
      {"10.50.0.32/27", "10.50.0.64", false},
      {"10.0.0.2/31", "10.0.0.3", true},
      {"10.0.0.2/31", "10.0.0.1", false},
      {"10.0.0.1/32", "10.0.0.1", true},
      {"10.0.0.1/32", "10.0.0.0", false},
      {"10.0.0.1", "10.0.0.1", true},
      {"10.0.0.1", "10.0.0.2", false},
      {"::/0", "::", true},
      {"::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
      {"::/0", "1.2.3.4", false},
      {"8000::/1", "8000::", true},
      {"8000::/1", "7fff:ffff::", false},
      {"fd00:99::/64", "fd00:99::ffff:ffff:ffff:ffff", true},
      {"fd00:99::/64", "fd00:99:0:1::", false},
      {"fd00:99::/63", "fd00:99:0:1::", true},
      {"fd00:99::/63", "fd00:99:0:2::", false},
      {"fd00::2/127", "fd00::3", true},
      {"fd00::2/127", "fd00::1", false},
      {"fd00::1/128", "fd00::1", true},
      {"fd00::1/128", "fd00::", false},
      {"fd00::1", "fd00::1", true},
      {"fd00::1", "fd00::2", false},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.range);
    CAPTURE(row.address);
    CHECK(contains(row.range, row.address) == row.expected);
  }
}

TEST_CASE("ip range: canonical text") {
  struct Row {
    std::string_view text, canonical;
  };
  static constexpr Row kRows[] = {
      {"10.99.0.0/16", "10.99.0.0/16"},     {"10.0.0.1", "10.0.0.1/32"}, {"0.0.0.0/0", "0.0.0.0/0"},
      {"FD00:0099:0::/64", "fd00:99::/64"}, {"::1", "::1/128"},          {"::/0", "::/0"},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.text);
    const auto range = IpRange::parse(row.text);
    REQUIRE(range.has_value());
    CHECK(range->str() == row.canonical);
    CHECK(IpRange::parse(range->str()) == *range);
  }
}

TEST_CASE("ip range: what is not one") {
  static constexpr std::string_view kRows[] = {
      "",
      "/",
      "/16",
      "10.0.0.0/",
      "10.0.0.0/33",
      "10.0.0.0/-1",
      "10.0.0.0/+8",
      "10.0.0.0/08",
      "10.0.0.0/00",
      "10.0.0.0/ 8",
      "10.0.0.0/8 ",
      "10.0.0.0/8x",
      "10.0.0.0/8/8",
      "10.0.0.0/0x8",
      "10.0.0.0/4294967304",
      "10.0.0.0/255.0.0.0",
      "10.0.0.0//8",
      "10.0.0/8",
      "10/8",
      "10.99.0.1/16",
      "0.0.0.1/0",
      "128.0.0.0/0",
      "10.0.0.1/31",
      "10.0.0.0/8\0"sv,
      "10.0.0.0\0/8"sv,
      "10.0.0.0-10.0.0.9",
      "10.0.0.*",
      "::/129",
      "::1/127",
      "::1/0",
      "fd00:99::1/64",
      "fd00:99:0:1::/63",
      "fe80::1%eth0",
      "fe80::%eth0/64",
      "[::]/0",
      ":::/0",
      "fd00/8",
      "example.org",
      "localhost/32",
  };
  for (const auto text : kRows) {
    CAPTURE(text);
    CHECK_FALSE(IpRange::parse(text).has_value());
  }
}

TEST_CASE("ip range: one in another") {
  const auto covers = [](std::string_view whole, std::string_view part) {
    return IpRange::parse(whole)->covers(*IpRange::parse(part));
  };
  CHECK(covers("10.0.0.0/8", "10.99.0.0/16"));
  CHECK(covers("10.99.0.0/16", "10.99.0.0/16"));
  CHECK(covers("10.99.0.0/16", "10.99.3.4"));
  CHECK_FALSE(covers("10.99.0.0/16", "10.0.0.0/8"));
  CHECK_FALSE(covers("10.99.0.0/16", "10.98.0.0/16"));
  CHECK(covers("0.0.0.0/0", "10.0.0.0/8"));
  CHECK_FALSE(covers("0.0.0.0/0", "::/0"));
  CHECK(covers("fd00:99::/32", "fd00:99:1::/48"));
  CHECK_FALSE(covers("fd00:99:1::/48", "fd00:99::/32"));
}

TEST_CASE("ip range: the first and the last IPv4 address") {
  const auto bounds = IpRange::parse("10.99.16.0/20")->ipv4_bounds();
  REQUIRE(bounds.has_value());
  CHECK(bounds->first.str() == "10.99.16.0");
  CHECK(bounds->second.str() == "10.99.31.255");
  CHECK(IpRange::parse("10.1.2.3")->ipv4_bounds()->second.str() == "10.1.2.3");
  CHECK(IpRange::parse("0.0.0.0/0")->ipv4_bounds()->second.str() == "255.255.255.255");
  CHECK_FALSE(IpRange::parse("fd00::/8")->ipv4_bounds().has_value());
}

}  // namespace
}  // namespace umlnet
