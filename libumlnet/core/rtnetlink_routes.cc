#include "libumlnet/core/rtnetlink_routes.h"

#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "libumlnet/core/rtnetlink_message.h"

namespace umlnet::rtnetlink {
namespace {

constexpr unsigned kNestingOfGroups = 1;  // the kernel has no group of groups

std::uint8_t family_of(const IpAddress& address) { return std::holds_alternative<Ipv4>(address) ? AF_INET : AF_INET6; }

std::optional<IpAddress> address_in(const Attributes& attributes, std::uint16_t type, int family) {
  if (family == AF_INET) return attributes.ipv4(type);
  return attributes.ipv6(type);
}

struct Hop {
  int ifindex = 0;
  std::optional<IpAddress> gateway;
};

std::optional<IpAddress> gateway_in(const Attributes& attributes, int family) {
  if (auto gateway = address_in(attributes, RTA_GATEWAY, family)) return gateway;
  // struct rtvia: a family, then an address of it.
  const auto via = attributes.bytes(RTA_VIA);
  const auto via_family = via ? read_struct<std::uint16_t>(*via) : std::nullopt;
  if (!via_family) return std::nullopt;
  const ByteSpan address = via->subspan(sizeof *via_family);
  if (*via_family == AF_INET)
    if (const auto raw = read_struct<std::array<std::uint8_t, 4>>(address)) return Ipv4::from_bytes(*raw);
  if (*via_family == AF_INET6)
    if (const auto raw = read_struct<std::array<std::uint8_t, 16>>(address)) return Ipv6(*raw);
  return std::nullopt;
}

std::vector<Hop> hops_of(const Attributes& route, int family) {
  std::vector<Hop> hops;
  for (ByteSpan rest = route.bytes(RTA_MULTIPATH).value_or(ByteSpan{}); auto hop = read_struct<rtnexthop>(rest);) {
    if (hop->rtnh_len < sizeof *hop || hop->rtnh_len > rest.size()) break;
    hops.push_back({hop->rtnh_ifindex, gateway_in(Attributes(rest.first(hop->rtnh_len).subspan(sizeof *hop)), family)});
    rest = rest.subspan(std::min<std::size_t>(NLMSG_ALIGN(hop->rtnh_len), rest.size()));
  }
  if (hops.empty()) hops.push_back({route.number<std::int32_t>(RTA_OIF).value_or(0), gateway_in(route, family)});
  return hops;
}

// Calls `each` with the body, the attributes and each next hop of a unicast route of the family.
void for_each_hop(const Message& message, std::uint8_t family, unsigned bits, const auto& each) {
  const auto body = read_struct<rtmsg>(message.payload);
  if (message.type != RTM_NEWROUTE || !body || body->rtm_family != family || body->rtm_dst_len > bits) return;
  if (body->rtm_type != RTN_UNICAST || (body->rtm_flags & RTM_F_CLONED) != 0) return;
  const Attributes top(behind(message.payload, sizeof *body));
  for (const auto& hop : hops_of(top, family)) each(*body, top, hop);
}

// What a route of either family has besides its destination.
template <class AnyRoute>
AnyRoute by_hop(AnyRoute route, const rtmsg& body, const Attributes& top, const Hop& hop) {
  route.ifindex = hop.ifindex;
  route.gateway = hop.gateway;
  route.protocol = body.rtm_protocol;
  route.table = top.number<std::uint32_t>(RTA_TABLE).value_or(body.rtm_table);
  route.nexthop_id = top.number<std::uint32_t>(RTA_NH_ID).value_or(0);
  return route;
}

Bytes dump_unicast_routes_of(std::uint32_t sequence, std::uint8_t family) {
  rtmsg body{};
  body.rtm_family = family;
  body.rtm_type = RTN_UNICAST;
  return Builder(RTM_GETROUTE, NLM_F_DUMP, sequence, body).done();
}

template <class AnyRoute>
bool lacks_nexthop(const AnyRoute& route) {
  return route.nexthop_id != 0 && route.ifindex == 0;
}

template <class AnyRoute>
void put_nexthop(const AnyRoute& route, std::uint32_t id, const std::vector<Nexthop>& nexthops, unsigned depth,
                 std::vector<AnyRoute>& into) {
  const auto nexthop = std::ranges::find(nexthops, id, &Nexthop::id);
  if (nexthop == nexthops.end()) return;
  if (depth < kNestingOfGroups)
    for (const auto member : nexthop->group) put_nexthop(route, member, nexthops, depth + 1, into);
  if (!nexthop->group.empty()) return;
  into.push_back(route);
  into.back().ifindex = nexthop->ifindex;
  into.back().gateway = nexthop->gateway;
}

template <class AnyRoute>
void put_all_nexthops(const std::vector<Nexthop>& nexthops, std::vector<AnyRoute>& routes) {
  std::vector<AnyRoute> found;
  for (const auto& route : routes)
    if (lacks_nexthop(route)) put_nexthop(route, route.nexthop_id, nexthops, 0, found);
  routes.insert(routes.end(), found.begin(), found.end());
}

}  // namespace

Bytes dump_unicast_routes(std::uint32_t sequence) { return dump_unicast_routes_of(sequence, AF_INET); }
Bytes dump_all_unicast_routes(std::uint32_t sequence) { return dump_unicast_routes_of(sequence, AF_UNSPEC); }
Bytes dump_ipv6_unicast_routes(std::uint32_t sequence) { return dump_unicast_routes_of(sequence, AF_INET6); }
Bytes dump_nexthops(std::uint32_t sequence) { return Builder(RTM_GETNEXTHOP, NLM_F_DUMP, sequence, nhmsg{}).done(); }

Bytes look_up_route(std::uint32_t sequence, const IpAddress& address) {
  rtmsg body{};
  body.rtm_family = family_of(address);
  body.rtm_dst_len = body.rtm_family == AF_INET ? 32 : 128;
  body.rtm_flags = RTM_F_FIB_MATCH;
  Builder builder(RTM_GETROUTE, 0, sequence, body);
  std::visit([&](const auto& of_family) { builder.attribute(RTA_DST, of_family); }, address);
  return builder.done();
}

Bytes get_neighbour(std::uint32_t sequence, int ifindex, const IpAddress& address) {
  ndmsg body{};
  body.ndm_family = family_of(address);
  body.ndm_ifindex = ifindex;
  Builder builder(RTM_GETNEIGH, 0, sequence, body);
  std::visit([&](const auto& of_family) { builder.attribute(NDA_DST, of_family); }, address);
  return builder.done();
}

std::vector<Route> routes_of(const Message& message) {
  std::vector<Route> routes;
  for_each_hop(message, AF_INET, 32, [&](const rtmsg& body, const Attributes& top, const Hop& hop) {
    Route route;
    route.destination = top.ipv4(RTA_DST).value_or(Ipv4());
    route.mask = Ipv4Mask(body.rtm_dst_len);
    routes.push_back(by_hop(route, body, top, hop));
  });
  return routes;
}

std::vector<Ipv6Route> ipv6_routes_of(const Message& message) {
  std::vector<Ipv6Route> routes;
  for_each_hop(message, AF_INET6, 128, [&](const rtmsg& body, const Attributes& top, const Hop& hop) {
    Ipv6Route route;
    route.destination = top.ipv6(RTA_DST).value_or(Ipv6());
    route.prefix_length = body.rtm_dst_len;
    routes.push_back(by_hop(route, body, top, hop));
  });
  return routes;
}

std::optional<Nexthop> nexthop_of(const Message& message) {
  const auto body = read_struct<nhmsg>(message.payload);
  if (message.type != RTM_NEWNEXTHOP || !body) return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  const auto id = top.number<std::uint32_t>(NHA_ID);
  if (!id) return std::nullopt;
  Nexthop nexthop{.id = *id,
                  .ifindex = top.number<std::int32_t>(NHA_OIF).value_or(0),
                  .gateway = address_in(top, NHA_GATEWAY, body->nh_family),
                  .group = {}};
  for (ByteSpan rest = top.bytes(NHA_GROUP).value_or(ByteSpan{}); auto member = read_struct<nexthop_grp>(rest);) {
    nexthop.group.push_back(member->id);
    rest = rest.subspan(sizeof *member);
  }
  return nexthop;
}

bool is_for_the_host(const Message& message) {
  const auto body = read_struct<rtmsg>(message.payload);
  return message.type == RTM_NEWROUTE && body &&
         (body->rtm_type == RTN_LOCAL || body->rtm_type == RTN_BROADCAST || body->rtm_type == RTN_ANYCAST);
}

bool means_no_route(int errnum) {
  // The last four are those of routes of the types unreachable, prohibit, throw and blackhole (fib_props in
  // net/ipv4/fib_semantics.c); before them, those of a host without IPv6.
  return errnum == ENETUNREACH || errnum == ESRCH || errnum == EAFNOSUPPORT || errnum == EOPNOTSUPP ||
         errnum == EHOSTUNREACH || errnum == EACCES || errnum == EAGAIN || errnum == EINVAL;
}

bool is_answering(const Message& message) {
  const auto body = read_struct<ndmsg>(message.payload);
  constexpr unsigned kThere = NUD_REACHABLE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
  return message.type == RTM_NEWNEIGH && body && (body->ndm_state & kThere) != 0;
}

bool lack_nexthops(const std::vector<Route>& ipv4, const std::vector<Ipv6Route>& ipv6) {
  return std::ranges::any_of(ipv4, lacks_nexthop<Route>) || std::ranges::any_of(ipv6, lacks_nexthop<Ipv6Route>);
}

void put_nexthops(const std::vector<Nexthop>& nexthops, std::vector<Route>& ipv4, std::vector<Ipv6Route>& ipv6) {
  put_all_nexthops(nexthops, ipv4);
  put_all_nexthops(nexthops, ipv6);
}

}  // namespace umlnet::rtnetlink
