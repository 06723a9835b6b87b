// What is read of a host's routes, next hops and neighbours, from records as a kernel sends them.
#include <doctest/doctest.h>

#include <linux/neighbour.h>
#include <linux/nexthop.h>

#include <cerrno>

#include "libumlnet/core/rtnetlink_message.h"
#include "libumlnet/core/rtnetlink_routes.h"
#include "rtnetlink_records.h"

using namespace umlnet;
using namespace umlnet::rtnetlink;
using test::read_one;

namespace {

const Ipv4 kFirst = *Ipv4::parse("10.50.0.2"), kSecond = *Ipv4::parse("10.51.0.2"), kThird = *Ipv4::parse("10.50.0.3");
const Ipv6 kRouter = *Ipv6::parse("fd00:50::2");

rtmsg body_of(std::uint8_t family, unsigned length = 0, std::uint8_t type = RTN_UNICAST) {
  rtmsg body{};
  body.rtm_family = family;
  body.rtm_dst_len = static_cast<std::uint8_t>(length);
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_type = type;
  return body;
}

template <class Value>
void put(Bytes& bytes, const Value& value) {
  const std::size_t size = bytes.size();
  bytes.resize(size + sizeof value);
  std::memcpy(bytes.data() + size, &value, sizeof value);
}

// One of the hops in RTA_MULTIPATH.
void put_hop(Bytes& hops, int ifindex, std::uint16_t type, const Bytes& address) {
  const auto size = static_cast<std::uint16_t>(sizeof(rtattr) + address.size());
  put(hops, rtnexthop{static_cast<std::uint16_t>(sizeof(rtnexthop) + size), 0, 0, ifindex});
  put(hops, rtattr{size, type});
  hops.insert(hops.end(), address.begin(), address.end());
  hops.resize(NLMSG_ALIGN(hops.size()));
}

Bytes bytes_of(const auto& address) {
  const auto raw = address.bytes();
  return Bytes(raw.begin(), raw.end());
}

Bytes via(std::uint16_t family, const auto& address) {
  Bytes bytes;
  put(bytes, family);
  const auto raw = bytes_of(address);
  bytes.insert(bytes.end(), raw.begin(), raw.end());
  return bytes;
}

Bytes multipath() {
  Bytes hops;
  put_hop(hops, 2, RTA_GATEWAY, bytes_of(kFirst));
  put_hop(hops, 3, RTA_GATEWAY, bytes_of(kSecond));
  put_hop(hops, 4, RTA_VIA, via(AF_INET6, kRouter));
  return Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET)).attribute(RTA_MULTIPATH, ByteSpan(hops)).done();
}

}  // namespace

TEST_CASE("routes: each next hop of a route is a record") {
  const auto routes = read_one(multipath(), routes_of);
  REQUIRE(routes.size() == 3);
  CHECK((routes[0].ifindex == 2 && routes[0].gateway == IpAddress(kFirst)));
  CHECK((routes[1].ifindex == 3 && routes[1].gateway == IpAddress(kSecond)));
  CHECK((routes[2].ifindex == 4 && routes[2].gateway == IpAddress(kRouter)));
  for (const auto& route : routes) CHECK((route.mask.length() == 0 && route.table == kMainTable));
}

TEST_CASE("routes: a next hop that is cut ends the list, and is read no further") {
  const Bytes whole = multipath();
  const std::size_t begin = sizeof(nlmsghdr) + sizeof(rtmsg) + sizeof(rtattr);
  for (std::size_t size = begin; size <= whole.size(); ++size) {
    // On the heap, at its very size, for a checker of memory.
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto length = static_cast<std::uint32_t>(size);
    std::memcpy(cut.data(), &length, sizeof length);
    const rtattr lead{static_cast<unsigned short>(size - begin + sizeof(rtattr)), RTA_MULTIPATH};
    std::memcpy(cut.data() + begin - sizeof lead, &lead, sizeof lead);
    const auto routes = read_one(cut, routes_of);
    CHECK((!routes.empty() && routes.size() <= 3));
  }
  for (const std::uint16_t lie : {0, 7, 9, 255, 65535}) {
    Bytes message = multipath();
    std::memcpy(message.data() + begin, &lie, sizeof lie);
    CHECK(read_one(message, routes_of).size() >= 1);
  }
}

TEST_CASE("routes: gateways of the other family, tables, and what is no unicast route") {
  const Bytes address = via(AF_INET6, kRouter);
  const auto across =
      read_one(Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET)).attribute(RTA_VIA, ByteSpan(address)).done(), routes_of);
  REQUIRE(across.size() == 1);
  CHECK(across[0].gateway == IpAddress(kRouter));
  for (const Bytes& nonsense :
       {Bytes{}, Bytes{1}, Bytes{10, 0}, Bytes{10, 0, 1, 2}, Bytes{2, 0, 1}, Bytes{9, 9, 1, 2, 3, 4}})
    CHECK(!read_one(Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET)).attribute(RTA_VIA, ByteSpan(nonsense)).done(),
                    routes_of)
               .at(0)
               .gateway);

  const auto table = read_one(
      Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET, 16)).attribute(RTA_TABLE, std::uint32_t{70000}).done(), routes_of);
  CHECK(table.at(0).table == 70000);
  for (const std::uint8_t type : {RTN_LOCAL, RTN_BROADCAST, RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_MULTICAST})
    CHECK(read_one(Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET, 8, type)).done(), routes_of).empty());
  CHECK(read_one(Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET, 33)).done(), routes_of).empty());
  CHECK(read_one(Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET6, 64)).done(), routes_of).empty());
  CHECK(read_one(Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET6, 64)).done(), ipv6_routes_of).size() == 1);
  CHECK(read_one(Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET6, 129)).done(), ipv6_routes_of).empty());
}

TEST_CASE("routes: nexthop objects and groups, where the kernel does not say what they are") {
  nhmsg body{};
  body.nh_family = AF_INET;
  const auto object = [&](std::uint32_t id, int ifindex, Ipv4 gateway) {
    return *read_one(Builder(RTM_NEWNEXTHOP, 0, 1, body)
                         .attribute(NHA_ID, id)
                         .attribute(NHA_OIF, std::uint32_t(ifindex))
                         .attribute(NHA_GATEWAY, gateway)
                         .done(),
                     nexthop_of);
  };
  Bytes members;
  for (const std::uint32_t id : {5, 6}) {
    nexthop_grp member{};
    member.id = id;
    put(members, member);
  }
  const auto group = read_one(Builder(RTM_NEWNEXTHOP, 0, 1, nhmsg{})
                                  .attribute(NHA_ID, std::uint32_t{7})
                                  .attribute(NHA_GROUP, ByteSpan(members))
                                  .done(),
                              nexthop_of);
  REQUIRE(group);
  CHECK(group->group == std::vector<std::uint32_t>{5, 6});
  CHECK(!read_one(Builder(RTM_NEWNEXTHOP, 0, 1, nhmsg{}).done(), nexthop_of));

  const auto named = [](std::uint32_t id) {
    return read_one(Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET)).attribute(RTA_NH_ID, id).done(), routes_of).at(0);
  };
  std::vector<Route> routes = {named(7), named(5), named(99)};
  std::vector<Ipv6Route> ipv6;
  CHECK(lack_nexthops(routes, ipv6));
  put_nexthops({object(5, 2, kFirst), object(6, 3, kSecond), *group}, routes, ipv6);
  std::vector<std::pair<int, std::optional<IpAddress>>> hops;
  for (const auto& route : routes)
    if (route.ifindex != 0) hops.emplace_back(route.ifindex, route.gateway);
  CHECK(hops == std::vector<std::pair<int, std::optional<IpAddress>>>{{2, kFirst}, {3, kSecond}, {2, kFirst}});
  // The kernel has no group that holds itself. Here it makes no endless loop.
  Nexthop loop{.id = 7, .ifindex = 0, .gateway = {}, .group = {7, 7}};
  routes = {named(7)};
  put_nexthops({loop}, routes, ipv6);
  CHECK(routes.size() == 1);

  auto known = named(5);
  known.ifindex = 2;
  CHECK(!lack_nexthops({known}, {}));
}

TEST_CASE("routes: what the kernel is asked about one address, and its answers") {
  CHECK(look_up_route(9, kThird) == Bytes{36, 0,  0, 0, 26, 0,  1, 0, 9, 0,    0, 0, 0, 0, 0, 0,  //
                                          2,  32, 0, 0, 0,  0,  0, 0, 0, 0x20, 0, 0,              //
                                          8,  0,  1, 0, 10, 50, 0, 3});
  CHECK(look_up_route(9, kRouter)[17] == 128);
  for (const std::uint8_t type : {RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_UNICAST, RTN_BLACKHOLE}) {
    const auto answer = Builder(RTM_NEWROUTE, 0, 1, body_of(AF_INET, 32, type)).done();
    CHECK(read_one(answer, is_for_the_host) == (type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_ANYCAST));
  }
  CHECK((means_no_route(ENETUNREACH) && means_no_route(EACCES) && !means_no_route(ENOBUFS) && !means_no_route(0)));

  CHECK(get_neighbour(9, 3, kThird) == Bytes{36, 0, 0, 0, 30, 0,  1, 0, 9, 0, 0, 0, 0, 0, 0, 0,  //
                                             2,  0, 0, 0, 3,  0,  0, 0, 0, 0, 0, 0,              //
                                             8,  0, 1, 0, 10, 50, 0, 3});
  for (const std::uint16_t state : {NUD_REACHABLE, NUD_PERMANENT, NUD_DELAY, NUD_PROBE, NUD_STALE, NUD_FAILED,
                                    NUD_INCOMPLETE, NUD_NOARP, NUD_NONE}) {
    ndmsg body{};
    body.ndm_family = AF_INET;
    body.ndm_state = state;
    const bool there = state == NUD_REACHABLE || state == NUD_PERMANENT || state == NUD_DELAY || state == NUD_PROBE;
    CHECK(read_one(Builder(RTM_NEWNEIGH, 0, 1, body).done(), is_answering) == there);
  }
}
