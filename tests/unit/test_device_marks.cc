// Marks on devices: what they say is read back, whatever else the device is called.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "libumlnet/core/device_marks.h"

using namespace umlnet;

namespace {

IpRange range(const char* text) { return *IpRange::parse(text); }

}  // namespace

TEST_CASE("device marks: what is written is read back") {
  const GuestMark marks[] = {{range("10.50.0.7")},
                             {range("10.50.0.7"), {"eth0"}},
                             {range("10.50.7.64/29"), {"eth0", "fd00"}, {"fe80", "wlan0"}},
                             {range("fd00:99::7"), {"10.0.0.1"}, {"1"}},
                             {range("fd00:99:7::/48"), {}, {"eth0"}},
                             {range("10.51.7.0/24"), {"eth0"}, {}, *parse_ip_address("10.50.0.7")},
                             {range("fd00:99:7::/48"), {}, {"eth0"}, *parse_ip_address("fd00:50::7")}};
  for (const auto& mark : marks) {
    const auto names = names_of(mark);
    REQUIRE(names.size() == 1);
    CHECK(is_mark(names[0]));
    CHECK(guest_of_mark(names[0]) == mark.guest);
    const auto read = marks_of(3, names);
    REQUIRE(read.guests.size() == 1);
    CHECK(read.guests[0].guest == mark.guest);
    CHECK(read.guests[0].published_on == mark.published_on);
    CHECK(read.guests[0].forwarded_from == mark.forwarded_from);
    CHECK(read.guests[0].via == mark.via);
    CHECK(read.host_addresses.empty());
    CHECK(!read.forwarding);
  }
  CHECK(names_of(marks[1])[0] == "umlnet:guest:1:0:eth0:10.50.0.7");
  CHECK(
      marks_of(3, std::vector{name_of_host_address(*IpInterface::parse("fd00:99::1/64"), "0123abcd")}).host_addresses ==
      std::vector{*IpInterface::parse("fd00:99::1/64")});
  CHECK(marks_of(3, std::vector{name_of_forwarding(3)}).forwarding);
  CHECK(!marks_of(3, std::vector{name_of_forwarding(4)}).forwarding);  // it was another device's
}

TEST_CASE("device marks: many LANs take several names, none longer than the kernel takes") {
  GuestMark mark{range("fd00:aaaa:bbbb:cccc:dddd:eeee:ffff:1234")};
  for (int i = 0; i < 12; ++i) {
    mark.published_on.push_back("longest-name-" + std::to_string(10 + i));
    mark.forwarded_from.push_back("other-name-xy" + std::to_string(10 + i));
  }
  const auto names = names_of(mark);
  CHECK(names.size() == 24);
  for (const auto& name : names) CHECK(name.size() < 128);
  const auto read = marks_of(3, names);
  REQUIRE(read.guests.size() == 1);
  CHECK(read.guests[0].published_on == mark.published_on);
  CHECK(read.guests[0].forwarded_from == mark.forwarded_from);
}

TEST_CASE("device marks: other names say nothing") {
  for (const char* name :
       {"", "wan", "umlnet", "umlnet:", "umlnet:guest:", "umlnet:guest:1:0:10.50.0.7",
        "umlnet:guest:0:0:", "umlnet:guest:x:0:10.50.0.7", "umlnet:guest:4294967295:0:10.50.0.7",
        "umlnet:guest:0:0:10.50.0.7x", "umlnet:guest:-1:0:10.50.0.7",
        "umlnet:host:", "umlnet:host:64:", "umlnet:host:129:fd00::1", "umlnet:guest:0:0:10.50.0.7,",
        "umlnet:guest:0:0:10.50.0.7,x", "umlnet:forwarding:", "umlnet:forwarding:03", "umlnet:other:1"}) {
    CAPTURE(name);
    const auto read = marks_of(3, std::vector<std::string>{name});
    CHECK((read.guests.empty() && read.host_addresses.empty() && !read.forwarding));
    CHECK(!guest_of_mark(name));
    CHECK(is_mark(name) == std::string(name).starts_with("umlnet:"));
  }
}
