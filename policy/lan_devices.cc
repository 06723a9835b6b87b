#include "policy/lan_devices.h"

#include <algorithm>

namespace umlnet::policy {
namespace {

using rtnetlink::Link;

// The routes of this toolkit lead to its own devices, and there may be thousands.
bool is_lan_route(const auto& route, unsigned prefix_length) {
  return prefix_length != 0 && route.table == rtnetlink::kMainTable && route.protocol != rtnetlink::kProtocol;
}

void take(const HostState& host, int ifindex, std::vector<const Link*>& lans) {
  const auto* lan = host.link(ifindex);
  if (lan != nullptr && !lan->loopback && !made_for(*lan) && std::ranges::find(lans, lan) == lans.end())
    lans.push_back(lan);
}

}  // namespace

std::vector<const Link*> lans_of(const HostState& host, Ipv4 address, Ipv4Mask netmask) {
  std::vector<const Link*> lans;
  for (const auto& route : host.routes) {
    if (is_lan_route(route, route.mask.length()) &&
        netmask.network_of(route.destination) == netmask.network_of(address))
      take(host, route.ifindex, lans);
  }
  return lans;
}

std::vector<const Link*> lans_for(const HostState& host, const IpRange& guest) {
  std::vector<const Link*> lans;
  for (const auto& route : host.routes)
    if (is_lan_route(route, route.mask.length()) && network_of(route).covers(guest)) take(host, route.ifindex, lans);
  for (const auto& route : host.ipv6_routes)
    if (is_lan_route(route, route.prefix_length) && network_of(route).covers(guest)) take(host, route.ifindex, lans);
  return lans;
}

bool is_lan_of_any(const Policy& policy, std::string_view name) {
  return std::ranges::any_of(policy.rules, [&](const Rule& rule) {
    return rule.effect == Effect::allow && rule.lan && match_any(*rule.lan, name);
  });
}

}  // namespace umlnet::policy
