// The requests byte for byte, as a little-endian machine sends them, and the records as a kernel does.
#include <doctest/doctest.h>

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <utility>

#include "libumlnet/core/rtnetlink_routes.h"
#include "rtnetlink_records.h"

using namespace umlnet;
using rtnetlink::Bytes;
using test::as_record;
using test::read_one;

namespace {

const Ipv4 kGuest = *Ipv4::parse("10.50.0.7");

}  // namespace

TEST_CASE("rtnetlink: a host route with our protocol number") {
  CHECK(rtnetlink::add_route(9, 7, IpRange::just(kGuest)) == Bytes{44, 0,  0, 0, 24,  0,   0x05, 0x06, 9, 0, 0, 0,
                                                                   0,  0,  0, 0,                                    //
                                                                   2,  32, 0, 0, 254, 117, 253,  1,    0, 0, 0, 0,  //
                                                                   8,  0,  1, 0, 10,  50,  0,    7,                 //
                                                                   8,  0,  4, 0, 7,   0,   0,    0});
  CHECK(rtnetlink::delete_route(1, 7, IpRange::just(kGuest))[4] == RTM_DELROUTE);
  // By way of a guest: of scope "universe", and the guest is taken to be on the link (RTNH_F_ONLINK).
  CHECK(rtnetlink::add_route(9, 7, *IpRange::parse("10.51.7.0/24"), kGuest) == [] {
    Bytes expected = {52, 0,  0, 0, 24,  0,   0x05, 0x06, 9, 0, 0, 0, 0, 0, 0, 0,  //
                      2,  24, 0, 0, 254, 117, 0,    1,    4, 0, 0, 0,              //
                      8,  0,  1, 0, 10,  51,  7,    0,    8, 0, 5, 0};
    const auto guest = kGuest.bytes();
    expected.insert(expected.end(), guest.begin(), guest.end());
    const Bytes device = {8, 0, 4, 0, 7, 0, 0, 0};
    expected.insert(expected.end(), device.begin(), device.end());
    return expected;
  }());
}

TEST_CASE("rtnetlink: a proxy entry with our protocol number") {
  CHECK(rtnetlink::add_proxy_entry(2, 3, kGuest, rtnetlink::kProtocolForwarding) ==
        Bytes{44, 0, 0,  0, 28,  0,  0x05, 0x05, 2,    0, 0,    0, 0, 0, 0, 0,  //
              2,  0, 0,  0, 3,   0,  0,    0,    0x80, 0, 0x08, 0,              //
              8,  0, 1,  0, 10,  50, 0,    7,                                   //
              5,  0, 12, 0, 118, 0,  0,    0});
}

TEST_CASE("rtnetlink: forwarding of one device") {
  CHECK(rtnetlink::set_forwarding(1, 5, true) ==
        Bytes{52, 0, 0,  0,    19, 0, 0x05, 0,    1,  0, 0, 0,    0, 0, 0, 0,  //
              0,  0, 0,  0,    5,  0, 0,    0,    0,  0, 0, 0,    0, 0, 0, 0,  //
              20, 0, 26, 0x80, 16, 0, 2,    0x80, 12, 0, 1, 0x80, 8, 0, 1, 0, 1, 0, 0, 0});
}

TEST_CASE("rtnetlink: an alias is sent without NUL, padded to four bytes") {
  CHECK(rtnetlink::set_link_alias(1, 5, "abc") == Bytes{40, 0, 0,  0, 19,  0,   0x05, 0, 1, 0, 0, 0, 0, 0, 0, 0,  //
                                                        0,  0, 0,  0, 5,   0,   0,    0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                                        7,  0, 20, 0, 'a', 'b', 'c',  0});
}

TEST_CASE("rtnetlink: what makes a device a port of a bridge") {
  const auto link = [](Bytes request) {
    return read_one(as_record(std::move(request), RTM_NEWLINK), rtnetlink::link_of);
  };
  const auto mtu = link(rtnetlink::set_link_mtu(1, 5, 1400));
  REQUIRE(mtu);
  CHECK(mtu->ifindex == 5);
  CHECK(mtu->mtu == 1400);
  CHECK(!mtu->mac);
  const auto mac = link(rtnetlink::set_link_mac(1, 5, *MacAddress::parse("fe:1:2:3:4:5")));
  REQUIRE((mac && mac->mac));
  CHECK(mac->mac->str() == "fe:01:02:03:04:05");
  const auto master = link(rtnetlink::set_link_master(1, 5, 7));
  REQUIRE(master);
  CHECK(master->master == 7);
  CHECK(rtnetlink::set_link_master(1, 5, 7) == Bytes{40, 0, 0,  0, 19, 0, 0x05, 0, 1, 0, 0, 0, 0, 0, 0, 0,  //
                                                     0,  0, 0,  0, 5,  0, 0,    0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                                     8,  0, 10, 0, 7,  0, 0,    0});
}

TEST_CASE("rtnetlink: records read back what requests say") {
  const auto route =
      read_one(as_record(rtnetlink::add_route(1, 7, IpRange::just(kGuest)), RTM_NEWROUTE), rtnetlink::routes_of);
  REQUIRE(route.size() == 1);
  CHECK(route[0].destination == kGuest);
  CHECK(route[0].mask.length() == 32);
  CHECK(route[0].ifindex == 7);
  CHECK(route[0].protocol == rtnetlink::kProtocol);
  CHECK(route[0].table == rtnetlink::kMainTable);

  const auto entry =
      read_one(as_record(rtnetlink::add_proxy_entry(1, 3, kGuest, 118), RTM_NEWNEIGH), rtnetlink::proxy_entry_of);
  REQUIRE(entry);
  CHECK(entry->ifindex == 3);
  CHECK(entry->address == kGuest);
  CHECK(entry->protocol == 118);

  const auto address = read_one(as_record(rtnetlink::add_address(1, 4, kGuest), RTM_NEWADDR), rtnetlink::address_of);
  REQUIRE(address);
  CHECK(address->ifindex == 4);
  CHECK(address->address == kGuest);
  CHECK(address->mask.length() == 32);
}

TEST_CASE("rtnetlink: a message cut at any byte is no record and no crash") {
  const Bytes whole = as_record(rtnetlink::add_route(1, 7, IpRange::just(kGuest)), RTM_NEWROUTE);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(!rtnetlink::for_each_message(cut, [](const auto&) { return true; }));
    if (size < sizeof(nlmsghdr)) continue;
    // The header says what is there, and the attributes end early.
    const auto length = static_cast<std::uint32_t>(size);
    std::memcpy(cut.data(), &length, sizeof length);
    const auto routes = read_one(cut, rtnetlink::routes_of);
    CHECK(routes.size() == (size < sizeof(nlmsghdr) + sizeof(rtmsg) ? 0 : 1));
  }
}

TEST_CASE("rtnetlink: an attribute that claims more than there is ends the list") {
  Bytes message = as_record(rtnetlink::add_route(1, 7, IpRange::just(kGuest)), RTM_NEWROUTE);
  message[28] = 0xff;  // the length of RTA_DST
  message[29] = 0xff;
  const auto routes = read_one(message, rtnetlink::routes_of);
  REQUIRE(routes.size() == 1);
  CHECK(routes[0].ifindex == 0);
}

TEST_CASE("rtnetlink: the end of a dump says whether it is whole") {
  Bytes bytes(sizeof(nlmsghdr) + sizeof(int));
  const auto ended_with = [&](int error) {
    const nlmsghdr header{static_cast<std::uint32_t>(bytes.size()), NLMSG_DONE, NLM_F_MULTI, 3, 0};
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &error, sizeof error);
    return read_one(bytes, rtnetlink::error_of);
  };
  CHECK(ended_with(0) == 0);
  CHECK(ended_with(-90) == 90);
}

TEST_CASE("rtnetlink: an error carries its number, an acknowledgement zero") {
  nlmsgerr body{};
  body.error = -17;
  Bytes bytes(sizeof(nlmsghdr) + sizeof body);
  const nlmsghdr header{static_cast<std::uint32_t>(bytes.size()), NLMSG_ERROR, 0, 3, 0};
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, &body, sizeof body);
  CHECK(read_one(bytes, rtnetlink::error_of) == 17);
  body.error = 0;
  std::memcpy(bytes.data() + sizeof header, &body, sizeof body);
  CHECK(read_one(bytes, rtnetlink::error_of) == 0);
}

TEST_CASE("rtnetlink: an address with its network") {
  CHECK(rtnetlink::add_address(1, 4, kGuest, Ipv4Mask(24)) == Bytes{40, 0,  0, 0, 20, 0,  0x05, 0x06,
                                                                    1,  0,  0, 0, 0,  0,  0,    0,  //
                                                                    2,  24, 0, 0, 4,  0,  0,    0,  //
                                                                    8,  0,  2, 0, 10, 50, 0,    7,  //
                                                                    8,  0,  1, 0, 10, 50, 0,    7});
  CHECK(rtnetlink::add_address(1, 4, kGuest)[17] == 32);
}

TEST_CASE("rtnetlink: isolation of a bridge's port") {
  CHECK(rtnetlink::set_port_isolation(1, 5, true) == Bytes{44, 0, 0,  0,    19, 0, 0x05, 0, 1, 0, 0, 0, 0, 0, 0, 0,  //
                                                           7,  0, 0,  0,    5,  0, 0,    0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                                           12, 0, 12, 0x80, 5,  0, 33,   0, 1, 0, 0, 0});
  CHECK(rtnetlink::set_port_isolation(1, 5, false)[40] == 0);
}

TEST_CASE("rtnetlink: a link's group") {
  CHECK(rtnetlink::set_link_alias(1, 5, "abc", 0x1234) ==
        Bytes{48, 0, 0,  0, 19,  0,   0x05, 0, 1, 0, 0,  0, 0,    0,    0, 0,  //
              0,  0, 0,  0, 5,   0,   0,    0, 0, 0, 0,  0, 0,    0,    0, 0,  //
              7,  0, 20, 0, 'a', 'b', 'c',  0, 8, 0, 27, 0, 0x34, 0x12, 0, 0});
  CHECK(rtnetlink::delete_link_group(1, 0x1234) == Bytes{40, 0, 0,  0, 17,   0,    0x05, 0, 1, 0, 0, 0, 0, 0, 0, 0,  //
                                                         0,  0, 0,  0, 0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                                         8,  0, 27, 0, 0x34, 0x12, 0,    0});
  const auto link =
      read_one(as_record(rtnetlink::set_link_alias(1, 5, "abc", 0x1234), RTM_NEWLINK), rtnetlink::link_of);
  REQUIRE(link);
  CHECK(link->group == 0x1234);
  CHECK(link->alias == "abc");
}

TEST_CASE("rtnetlink: into another network namespace, under its name or a new one") {
  CHECK(rtnetlink::move_link(1, 5, 9) == Bytes{40, 0, 0,  0, 19, 0, 0x05, 0, 1, 0, 0, 0, 0, 0, 0, 0,  //
                                               0,  0, 0,  0, 5,  0, 0,    0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                               8,  0, 28, 0, 9,  0, 0,    0});
  CHECK(rtnetlink::move_link(1, 5, 9, "eth0") == Bytes{52, 0, 0,  0, 19,  0,   0x05, 0,   1, 0, 0, 0, 0, 0, 0, 0,  //
                                                       0,  0, 0,  0, 5,   0,   0,    0,   0, 0, 0, 0, 0, 0, 0, 0,  //
                                                       8,  0, 28, 0, 9,   0,   0,    0,                            //
                                                       9,  0, 3,  0, 'e', 't', 'h',  '0', 0, 0, 0, 0});
}

TEST_CASE("rtnetlink: what a link says about bridging and IPv6") {
  // A record of ifindex 5 with IFLA_LINKINFO {INFO_SLAVE_KIND, INFO_SLAVE_DATA {BRPORT_ISOLATED}} and IFLA_AF_SPEC
  // {AF_INET6 {INET6_CONF}}.
  const auto record = [](char first, std::uint8_t isolated) {
    Bytes conf(27 * 4);  // DEVCONF_DISABLE_IPV6 is the 27th
    conf[0] = 1;         // DEVCONF_FORWARDING
    conf[22 * 4] = 1;    // DEVCONF_PROXY_NDP
    conf[26 * 4] = 1;
    Bytes bytes{0,   0,   0,   0,   16,  0, 0,  0, 1,
                0,   0,   0,   0,   0,   0, 0,  //
                0,   0,   0,   0,   5,   0, 0,  0, 0,
                0,   0,   0,   0,   0,   0, 0,  //
                28,  0,   18,  0,   11,  0, 4,  0, static_cast<std::uint8_t>(first),
                'r', 'i', 'd', 'g', 'e', 0, 0,  //
                12,  0,   5,   0,   5,   0, 33, 0, isolated,
                0,   0,   0};
    const Bytes families{120, 0, 26, 0, 116, 0, 10, 0, 112, 0, 2, 0};
    bytes.insert(bytes.end(), families.begin(), families.end());
    bytes.insert(bytes.end(), conf.begin(), conf.end());
    bytes[0] = static_cast<std::uint8_t>(bytes.size());
    return bytes;
  };
  const auto link = read_one(record('b', 1), rtnetlink::link_of);
  REQUIRE(link);
  CHECK(link->ifindex == 5);
  CHECK(link->isolated);
  CHECK((link->ipv6.forwarding && link->ipv6.proxy_ndp && link->ipv6.disabled));
  CHECK(!read_one(record('b', 0), rtnetlink::link_of)->isolated);
  CHECK(!read_one(record('B', 1), rtnetlink::link_of)->isolated);  // the number means something else there
}

TEST_CASE("rtnetlink: the settings of IPv6") {
  CHECK(rtnetlink::get_ipv6_settings(1, rtnetlink::kAllDevices) == Bytes{28, 0, 0, 0, 82, 0, 1, 0, 1,   0,   0,   0,
                                                                         0,  0, 0, 0,  //
                                                                         10, 0, 0, 0, 8,  0, 1, 0, 255, 255, 255, 255});
  const Bytes record{44, 0, 0, 0, 80,  0,   0,   0,   1, 0, 0, 0, 0, 0, 0, 0,  //
                     10, 0, 0, 0,                                              //
                     8,  0, 1, 0, 255, 255, 255, 255,                          //
                     8,  0, 2, 0, 1,   0,   0,   0,                            //
                     8,  0, 5, 0, 1,   0,   0,   0};
  const auto settings = read_one(record, rtnetlink::ipv6_settings_of);
  REQUIRE(settings);
  CHECK((settings->forwarding && settings->proxy_ndp));
  CHECK(!read_one(record, rtnetlink::ipv4_settings_of));
}
