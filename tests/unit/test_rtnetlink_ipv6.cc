// The requests byte for byte, as a little-endian machine sends them, and the records as a kernel does.
#include <doctest/doctest.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>

#include "libumlnet/core/rtnetlink_ipv6.h"
#include "libumlnet/core/rtnetlink_routes.h"
#include "rtnetlink_records.h"

using namespace umlnet;
using rtnetlink::Bytes;
using test::as_record;
using test::read_one;

namespace {

const Ipv6 kGuest = *Ipv6::parse("fd00:99::7");

}  // namespace

TEST_CASE("rtnetlink of IPv6: no link-local address") {
  CHECK(rtnetlink::set_no_link_local_address(1, 4) ==
        Bytes{48, 0, 0,  0,    19, 0, 0x05, 0,    1, 0, 0, 0, 0, 0, 0, 0,  //
              0,  0, 0,  0,    4,  0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0,  //
              16, 0, 26, 0x80, 12, 0, 10,   0x80, 5, 0, 8, 0, 1, 0, 0, 0});
}

TEST_CASE("rtnetlink of IPv6: an address, usable at once") {
  CHECK(rtnetlink::add_ipv6_address(1, 4, kGuest, 64) ==
        Bytes{52, 0,  0, 0, 20,   0, 0x05, 0x06, 1, 0, 0, 0, 0, 0, 0, 0,              //
              10, 64, 0, 0, 4,    0, 0,    0,                                         //
              20, 0,  2, 0, 0xfd, 0, 0,    0x99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,  //
              8,  0,  8, 0, 2,    0, 0,    0});
  // A network of one needs no route of its own.
  const auto alone = rtnetlink::add_ipv6_address(1, 4, kGuest, 128);
  CHECK(alone[17] == 128);
  CHECK(Bytes(alone.end() - 8, alone.end()) == Bytes{8, 0, 8, 0, 2, 2, 0, 0});
}

TEST_CASE("rtnetlink of IPv6: a host route with our protocol number") {
  CHECK(rtnetlink::add_route(9, 7, IpRange::just(kGuest)) ==
        Bytes{56, 0,   0, 0, 24,   0,   0x05, 0x06, 9, 0, 0, 0, 0, 0, 0, 0,              //
              10, 128, 0, 0, 254,  117, 0,    1,    0, 0, 0, 0,                          //
              20, 0,   1, 0, 0xfd, 0,   0,    0x99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,  //
              8,  0,   4, 0, 7,    0,   0,    0});
  const auto gone = rtnetlink::delete_route(1, 7, IpRange::just(kGuest));
  CHECK(gone[4] == RTM_DELROUTE);
  CHECK(gone[21] == rtnetlink::kProtocol);  // the kernel passes over the routes of others
}

TEST_CASE("rtnetlink of IPv6: a proxy entry with our protocol number") {
  CHECK(rtnetlink::add_ipv6_proxy_entry(2, 3, kGuest, rtnetlink::kProtocol) ==
        Bytes{56, 0, 0,  0, 28,   0, 0x05, 0x05, 2,    0, 0,    0, 0, 0, 0, 0,              //
              10, 0, 0,  0, 3,    0, 0,    0,    0x80, 0, 0x08, 0,                          //
              20, 0, 1,  0, 0xfd, 0, 0,    0x99, 0,    0, 0,    0, 0, 0, 0, 0, 0, 0, 0, 7,  //
              5,  0, 12, 0, 117,  0, 0,    0});
  const auto gone = rtnetlink::delete_ipv6_proxy_entry(1, 3, kGuest);
  CHECK(gone[4] == RTM_DELNEIGH);
  CHECK(gone.size() == 48);
}

TEST_CASE("rtnetlink of IPv6: records read back what requests say") {
  const auto address =
      read_one(as_record(rtnetlink::add_ipv6_address(1, 4, kGuest, 64), RTM_NEWADDR), rtnetlink::ipv6_address_of);
  REQUIRE(address);
  CHECK(address->ifindex == 4);
  CHECK(address->address == kGuest);
  CHECK(address->prefix_length == 64);
  const auto route =
      read_one(as_record(rtnetlink::add_route(1, 7, IpRange::just(kGuest)), RTM_NEWROUTE), rtnetlink::ipv6_routes_of);
  REQUIRE(route.size() == 1);
  CHECK(route[0].destination == kGuest);
  CHECK(route[0].prefix_length == 128);
  CHECK(route[0].ifindex == 7);
  const auto entry = read_one(as_record(rtnetlink::add_ipv6_proxy_entry(1, 3, kGuest, 118), RTM_NEWNEIGH),
                              rtnetlink::ipv6_proxy_entry_of);
  REQUIRE(entry);
  CHECK(entry->ifindex == 3);
  CHECK(entry->address == kGuest);
  CHECK(entry->protocol == 118);
}

TEST_CASE("rtnetlink of IPv6: records") {
  const auto raw = [](std::uint16_t type, const auto& body, std::uint16_t attribute, const auto& value) {
    Bytes bytes(sizeof(nlmsghdr) + sizeof body + sizeof(rtattr) + sizeof value);
    const nlmsghdr header{static_cast<std::uint32_t>(bytes.size()), type, 0, 1, 0};
    const rtattr lead{static_cast<unsigned short>(sizeof(rtattr) + sizeof value), attribute};
    std::uint8_t* at = bytes.data();
    const auto put = [&](const auto& what) {
      std::memcpy(at, &what, sizeof what);
      at += sizeof what;
    };
    put(header);
    put(body);
    put(lead);
    put(value);
    return bytes;
  };
  static_assert(sizeof(ifaddrmsg) % 4 == 0 && sizeof(rtmsg) % 4 == 0 && sizeof(ndmsg) % 4 == 0);

  ifaddrmsg address{};
  address.ifa_family = AF_INET6;
  address.ifa_prefixlen = 64;
  address.ifa_scope = RT_SCOPE_LINK;
  address.ifa_index = 4;
  const auto found = read_one(raw(RTM_NEWADDR, address, IFA_ADDRESS, kGuest.bytes()), rtnetlink::ipv6_address_of);
  REQUIRE(found);
  CHECK(found->address == kGuest);
  CHECK(found->prefix_length == 64);
  CHECK(found->ifindex == 4);
  CHECK(found->link_local);
  CHECK(!read_one(raw(RTM_NEWADDR, address, IFA_ADDRESS, kGuest.bytes()), rtnetlink::address_of));

  rtmsg route{};
  route.rtm_family = AF_INET6;
  route.rtm_dst_len = 128;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_type = RTN_UNICAST;
  route.rtm_protocol = rtnetlink::kProtocol;
  const auto routed = read_one(raw(RTM_NEWROUTE, route, RTA_DST, kGuest.bytes()), rtnetlink::ipv6_routes_of);
  REQUIRE(routed.size() == 1);
  CHECK(routed[0].destination == kGuest);
  CHECK(routed[0].protocol == rtnetlink::kProtocol);
  CHECK(!routed[0].gateway);
  const auto through = read_one(raw(RTM_NEWROUTE, route, RTA_GATEWAY, kGuest.bytes()), rtnetlink::ipv6_routes_of);
  REQUIRE(through.size() == 1);
  CHECK(through[0].gateway == IpAddress(kGuest));
  route.rtm_table = 100;
  CHECK(read_one(raw(RTM_NEWROUTE, route, RTA_DST, kGuest.bytes()), rtnetlink::ipv6_routes_of).at(0).table == 100);
  route.rtm_type = RTN_LOCAL;
  CHECK(read_one(raw(RTM_NEWROUTE, route, RTA_DST, kGuest.bytes()), rtnetlink::ipv6_routes_of).empty());

  ndmsg entry{};
  entry.ndm_family = AF_INET6;
  entry.ndm_ifindex = 3;
  entry.ndm_flags = NTF_PROXY;
  const auto published = read_one(raw(RTM_NEWNEIGH, entry, NDA_DST, kGuest.bytes()), rtnetlink::ipv6_proxy_entry_of);
  REQUIRE(published);
  CHECK(published->address == kGuest);
  CHECK(published->ifindex == 3);
  entry.ndm_flags = 0;
  CHECK(!read_one(raw(RTM_NEWNEIGH, entry, NDA_DST, kGuest.bytes()), rtnetlink::ipv6_proxy_entry_of));
}
