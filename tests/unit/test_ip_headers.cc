#include <doctest/doctest.h>

#include <utility>

#include "libumlnet/client/ip_headers.h"
#include "tests/unit/frames.h"

using namespace umlnet;

namespace {

constexpr auto kMacs = "020000000001 020000000002";

Bytes frame(std::string_view digits) {
  Bytes bytes = hex(kMacs);
  append(bytes, hex(digits));
  return bytes;
}

const auto kTcp4 = "0800 4500002c 00000000 40060000 0a630001 0a6300fe";
const auto kIpv6 = "86dd 60000000 0018";  // 24 bytes of payload; then the next header and the hop limit
const auto kAddresses = "40 fd000000000000000000000000000001 fd0000000000000000000000000000fe";

Bytes ipv6(std::string_view next_header, std::string_view payload) {
  Bytes bytes = frame(kIpv6);
  append(bytes, hex(next_header));
  append(bytes, hex(kAddresses));
  append(bytes, hex(payload));
  bytes.resize(14 + 40 + 24);
  return bytes;
}

}  // namespace

TEST_CASE("IP headers: IPv4, also behind VLAN tags and with options") {
  Bytes bytes = frame(kTcp4);
  bytes.resize(60);  // with padding
  auto ip = find_ip_headers(bytes);
  REQUIRE(ip);
  CHECK(ip->version == 4);
  CHECK(ip->network == 14);
  CHECK(ip->transport == 34);
  CHECK(ip->end == 14 + 44);
  CHECK(ip->protocol == kProtocolTcp);
  CHECK_FALSE(ip->fragment);

  Bytes tagged = frame("88a80064 81000005 0800 4700002c 00004000 40110000 0a630001 0a6300fe 0101010101010101");
  tagged.resize(14 + 8 + 44);
  ip = find_ip_headers(tagged);
  REQUIRE(ip);
  CHECK(ip->network == 22);
  CHECK(ip->transport == 22 + 28);
  CHECK(ip->end == tagged.size());
  CHECK(ip->protocol == kProtocolUdp);
  CHECK_FALSE(ip->fragment);
}

TEST_CASE("IP headers: fragments are told from whole packets") {
  for (const auto& [word, fragment] : {std::pair{"0000", false}, {"4000", false}, {"2000", true}, {"0001", true}}) {
    Bytes bytes = frame("0800 4500002c 0000");
    append(bytes, hex(word));
    append(bytes, hex("40060000 0a630001 0a6300fe"));
    bytes.resize(60);
    REQUIRE(find_ip_headers(bytes));
    CHECK(find_ip_headers(bytes)->fragment == fragment);
  }
  CHECK(find_ip_headers(ipv6("2c", "11000008 00000001"))->fragment);
  CHECK(find_ip_headers(ipv6("2c", "11000001 00000001"))->fragment);
  const auto atomic = find_ip_headers(ipv6("2c", "11000000 00000001"));
  CHECK_FALSE(atomic->fragment);
  CHECK(atomic->protocol == kProtocolUdp);
  CHECK(atomic->transport == 14 + 40 + 8);
}

TEST_CASE("IP headers: IPv6 extension headers are passed over, up to the transport") {
  auto ip = find_ip_headers(ipv6("06", ""));
  REQUIRE(ip);
  CHECK(ip->version == 6);
  CHECK(ip->transport == 54);
  CHECK(ip->end == 78);
  // Hop-by-hop, then destination options: 8 bytes each.
  ip = find_ip_headers(ipv6("00", "3c00 010400000000 1100 010400000000"));
  REQUIRE(ip);
  CHECK(ip->transport == 54 + 16);
  CHECK(ip->protocol == kProtocolUdp);
  // A routing header of 24 bytes, and nothing behind it.
  ip = find_ip_headers(ipv6("2b", "3b02"));
  REQUIRE(ip);
  CHECK(ip->transport == ip->end);
  CHECK(ip->protocol == 59);
  // One that is longer than the packet.
  CHECK_FALSE(find_ip_headers(ipv6("2b", "0603")));
  CHECK_FALSE(find_ip_headers(ipv6("00", "0002")));
}

TEST_CASE("IP headers: not IP, too short, or contradictory") {
  CHECK_FALSE(find_ip_headers({}));
  CHECK_FALSE(find_ip_headers(frame("0806 0001")));
  CHECK_FALSE(find_ip_headers(frame("0026 4242030000")));
  CHECK_FALSE(find_ip_headers(frame("8100 0005")));
  Bytes whole = frame(kTcp4);
  whole.resize(14 + 44);
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(find_ip_headers(std::span(whole).first(size)));
  CHECK(find_ip_headers(whole));
  for (const auto& [at, value] : {std::pair{14U, 0x65U}, {14U, 0x44U}, {14U, 0x4cU}, {17U, 19U}, {17U, 45U}}) {
    Bytes bytes = whole;
    bytes[at] = static_cast<std::uint8_t>(value);
    CHECK_FALSE(find_ip_headers(bytes));
  }
  const Bytes six = ipv6("06", "");
  for (std::size_t size = 0; size < six.size(); ++size) CHECK_FALSE(find_ip_headers(std::span(six).first(size)));
}
