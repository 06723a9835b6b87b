#include <doctest/doctest.h>

#include "libumlnet/core/mac_address.h"

using umlnet::MacAddress;

TEST_CASE("MAC addresses: six hexadecimal numbers of one or two digits") {
  CHECK(MacAddress::parse("fe:fd:0:0:0:1")->bytes() == std::array<std::uint8_t, 6>{0xfe, 0xfd, 0, 0, 0, 1});
  CHECK(MacAddress::parse("FE:Fd:0A:b:00:10")->str() == "fe:fd:0a:0b:00:10");
  for (const auto* text : {"", ":", "fe", "fe:fd:0:0:0", "fe:fd:0:0:0:", ":fe:fd:0:0:0",
                           "fe:fd:0:0:0:1:", "fe:fd:0:0:0:1:2", "fe:fd:0:0:0:001", "fe:fd:0:0:0:g", "fe:fd:0:0:0:+1",
                           "fe:fd:0:0:0: 1", "fe-fd-0-0-0-1", "fe::0:0:0:1", "0x2:0:0:0:0:1"})
    CHECK_FALSE(MacAddress::parse(text));
}

TEST_CASE("MAC addresses: not those that no interface can have") {
  CHECK_FALSE(MacAddress::parse("ff:ff:ff:ff:ff:ff"));
  CHECK_FALSE(MacAddress::parse("01:0:5e:0:0:1"));
  CHECK_FALSE(MacAddress::parse("0:0:0:0:0:0"));
  CHECK(MacAddress::parse("0:0:0:0:0:1"));
}
