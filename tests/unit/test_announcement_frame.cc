#include <doctest/doctest.h>

#include <string>

#include "uml_net/worker/announcement_frame.h"

using namespace umlnet;

namespace {

std::string hex(const AnnouncementFrame& frame) {
  std::string text;
  for (std::size_t i = 0; i < frame.size; ++i) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[frame.bytes[i] >> 4];
    text += kDigits[frame.bytes[i] & 0xf];
  }
  return text;
}

const MacAddress kMac(*MacAddress::parse("52:54:00:aa:bb:cc"));

}  // namespace

TEST_CASE("announcement: an ARP request for the address itself") {
  CHECK(hex(announcement_of(Ipv4(0x0a320007), kMac)) ==
        "ffffffffffff525400aabbcc0806"
        "0001080006040001"
        "525400aabbcc0a320007"
        "0000000000000a320007");
}

// The checksum was computed by another program, from RFC 8200, 8.1.
TEST_CASE("announcement: an unsolicited neighbour advertisement to all nodes") {
  CHECK(hex(announcement_of(*Ipv6::parse("fd00:50::7"), kMac)) ==
        "333300000001525400aabbcc86dd"
        "6000000000203aff"
        "fd000050000000000000000000000007"
        "ff020000000000000000000000000001"
        "8800cd24a0000000"
        "fd000050000000000000000000000007"
        "0201525400aabbcc");
}
