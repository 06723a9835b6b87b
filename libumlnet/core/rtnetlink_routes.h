// rtnetlink messages about the routes and neighbours that a host has (ip-route(8), ip-nexthop(8), ip-neighbour(8)):
// what is read, of IPv4 and of IPv6. The routes that this toolkit makes are in rtnetlink.h and rtnetlink_ipv6.h.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/rtnetlink.h"

namespace umlnet::rtnetlink {

inline constexpr std::uint32_t kMainTable = 254;  // RT_TABLE_MAIN

// A unicast route of any table, by one of its next hops: a route of several (ECMP) is several records.
struct Route {
  Ipv4 destination;
  Ipv4Mask mask;
  int ifindex = 0;
  std::optional<IpAddress> gateway;  // may be of the other family (RTA_VIA)
  std::uint8_t protocol = 0;
  std::uint32_t table = kMainTable;
  std::uint32_t nexthop_id = 0;  // of a nexthop object or a group; 0: none
};
struct Ipv6Route {
  Ipv6 destination;
  unsigned prefix_length = 0;
  int ifindex = 0;
  std::optional<IpAddress> gateway;
  std::uint8_t protocol = 0;
  std::uint32_t table = kMainTable;
  std::uint32_t nexthop_id = 0;
};

// A nexthop object, or a group of them by their ids.
struct Nexthop {
  std::uint32_t id = 0;
  int ifindex = 0;
  std::optional<IpAddress> gateway;
  std::vector<std::uint32_t> group;
};

// Unicast routes of all tables, of IPv4 and of both families.
Bytes dump_unicast_routes(std::uint32_t sequence);
Bytes dump_all_unicast_routes(std::uint32_t sequence);
Bytes dump_ipv6_unicast_routes(std::uint32_t sequence);
Bytes dump_nexthops(std::uint32_t sequence);  // fails with EOPNOTSUPP where the kernel has none
// The route by which the host itself sends to the address, as by "ip route get fibmatch". Fails where no route
// leads there: see means_no_route().
Bytes look_up_route(std::uint32_t sequence, const IpAddress& address);
// What the host knows of a neighbour on a device. Fails with ENOENT where that is nothing.
Bytes get_neighbour(std::uint32_t sequence, int ifindex, const IpAddress& address);

// Empty where the message is of another kind or family, cut, or about another type of route. Without network: {} for
// the destination and 0 for its length.
std::vector<Route> routes_of(const Message& message);
std::vector<Ipv6Route> ipv6_routes_of(const Message& message);
std::optional<Nexthop> nexthop_of(const Message& message);

// Whether the answer to look_up_route() says that the host takes what is sent to the address itself, or as a broadcast.
bool is_for_the_host(const Message& message);
// The errors of look_up_route() that say that no packet leaves for the address.
bool means_no_route(int errnum);
// Whether the answer to get_neighbour() says that somebody has the address on that device: it answered not long ago, or
// an administrator says so.
bool is_answering(const Message& message);

// Whether a route has a nexthop object of which the kernel did not say more (net.ipv4.nexthop_compat_mode=0).
bool lack_nexthops(const std::vector<Route>& ipv4, const std::vector<Ipv6Route>& ipv6);
// Adds a record for each next hop of such a route.
void put_nexthops(const std::vector<Nexthop>& nexthops, std::vector<Route>& ipv4, std::vector<Ipv6Route>& ipv6);

}  // namespace umlnet::rtnetlink
