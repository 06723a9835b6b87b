// The requests byte for byte, as a little-endian machine sends them, and the records as a kernel does.
#include <doctest/doctest.h>

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <bit>
#include <cstring>

#include "libumlnet/core/rtnetlink.h"

using namespace umlnet;
using rtnetlink::Bytes;

static_assert(std::endian::native == std::endian::little, "the bytes below are of a little-endian machine");

namespace {

const Ipv4 kGuest = *Ipv4::parse("10.50.0.7");

template <class Read>
auto read_one(const Bytes& datagram, Read read) {
  decltype(read(rtnetlink::Message{})) record;
  CHECK(rtnetlink::for_each_message(datagram, [&](const rtnetlink::Message& message) {
    record = read(message);
    return true;
  }));
  return record;
}

// A request to make something has the layout of the record that tells of it.
Bytes as_record(Bytes request, std::uint16_t type) {
  std::memcpy(request.data() + offsetof(nlmsghdr, nlmsg_type), &type, sizeof type);
  return request;
}

}  // namespace

TEST_CASE("rtnetlink: a host route with our protocol number") {
  CHECK(rtnetlink::add_host_route(9, 7, kGuest) == Bytes{44, 0,  0, 0, 24,  0,   0x05, 0x06, 9, 0, 0, 0, 0, 0, 0, 0,  //
                                                         2,  32, 0, 0, 254, 117, 253,  1,    0, 0, 0, 0,              //
                                                         8,  0,  1, 0, 10,  50,  0,    7,                             //
                                                         8,  0,  4, 0, 7,   0,   0,    0});
  CHECK(rtnetlink::delete_host_route(1, 7, kGuest)[4] == RTM_DELROUTE);
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
  const auto route = read_one(as_record(rtnetlink::add_host_route(1, 7, kGuest), RTM_NEWROUTE), rtnetlink::route_of);
  REQUIRE(route);
  CHECK(route->destination == kGuest);
  CHECK(route->mask.length() == 32);
  CHECK(route->ifindex == 7);
  CHECK(route->protocol == rtnetlink::kProtocol);

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
  const Bytes whole = as_record(rtnetlink::add_host_route(1, 7, kGuest), RTM_NEWROUTE);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(!rtnetlink::for_each_message(cut, [](const auto&) { return true; }));
    if (size < sizeof(nlmsghdr)) continue;
    // The header says what is there, and the attributes end early.
    const auto length = static_cast<std::uint32_t>(size);
    std::memcpy(cut.data(), &length, sizeof length);
    const auto route = read_one(cut, rtnetlink::route_of);
    CHECK((size < sizeof(nlmsghdr) + sizeof(rtmsg) ? !route : route.has_value()));
  }
}

TEST_CASE("rtnetlink: an attribute that claims more than there is ends the list") {
  Bytes message = as_record(rtnetlink::add_host_route(1, 7, kGuest), RTM_NEWROUTE);
  message[28] = 0xff;  // the length of RTA_DST
  message[29] = 0xff;
  const auto route = read_one(message, rtnetlink::route_of);
  REQUIRE(route);
  CHECK(route->ifindex == 0);
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

TEST_CASE("rtnetlink: records of IPv6") {
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
  const auto guest = *Ipv6::parse("fd00:99::7");
  static_assert(sizeof(ifaddrmsg) % 4 == 0 && sizeof(rtmsg) % 4 == 0 && sizeof(ndmsg) % 4 == 0);

  ifaddrmsg address{};
  address.ifa_family = AF_INET6;
  address.ifa_prefixlen = 64;
  address.ifa_scope = RT_SCOPE_LINK;
  address.ifa_index = 4;
  const auto found = read_one(raw(RTM_NEWADDR, address, IFA_ADDRESS, guest.bytes()), rtnetlink::ipv6_address_of);
  REQUIRE(found);
  CHECK(found->address == guest);
  CHECK(found->prefix_length == 64);
  CHECK(found->ifindex == 4);
  CHECK(found->link_local);
  CHECK(!read_one(raw(RTM_NEWADDR, address, IFA_ADDRESS, guest.bytes()), rtnetlink::address_of));

  rtmsg route{};
  route.rtm_family = AF_INET6;
  route.rtm_dst_len = 128;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_type = RTN_UNICAST;
  route.rtm_protocol = rtnetlink::kProtocol;
  const auto routed = read_one(raw(RTM_NEWROUTE, route, RTA_DST, guest.bytes()), rtnetlink::ipv6_route_of);
  REQUIRE(routed);
  CHECK(routed->destination == guest);
  CHECK(routed->protocol == rtnetlink::kProtocol);
  CHECK(!routed->gateway);
  const auto through = read_one(raw(RTM_NEWROUTE, route, RTA_GATEWAY, guest.bytes()), rtnetlink::ipv6_route_of);
  REQUIRE(through);
  CHECK(through->gateway == guest);
  route.rtm_table = RT_TABLE_LOCAL;
  CHECK(!read_one(raw(RTM_NEWROUTE, route, RTA_DST, guest.bytes()), rtnetlink::ipv6_route_of));

  ndmsg entry{};
  entry.ndm_family = AF_INET6;
  entry.ndm_ifindex = 3;
  entry.ndm_flags = NTF_PROXY;
  const auto published = read_one(raw(RTM_NEWNEIGH, entry, NDA_DST, guest.bytes()), rtnetlink::ipv6_proxy_entry_of);
  REQUIRE(published);
  CHECK(published->address == guest);
  CHECK(published->ifindex == 3);
  entry.ndm_flags = 0;
  CHECK(!read_one(raw(RTM_NEWNEIGH, entry, NDA_DST, guest.bytes()), rtnetlink::ipv6_proxy_entry_of));
}
