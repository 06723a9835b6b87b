#include "policy/guest_sources.h"

#include <algorithm>

namespace umlnet::policy {

GuestProtocols granted_protocols(const OpenInterface& request) {
  const auto is_ipv6 = [](const IpAddress& address) { return std::holds_alternative<Ipv6>(address); };
  const bool ipv6 = request.bridge || std::ranges::any_of(request.guests, is_ipv6, &IpRange::first) ||
                    std::ranges::any_of(request.addresses, is_ipv6, &IpInterface::address);
  return ipv6 ? GuestProtocols::ipv4_and_ipv6 : GuestProtocols::ipv4;
}

Result<GuestSources> guest_sources(const OpenInterface& request, const Grant& grant, const HostState& host) {
  GuestSources sources{
      .macs = request.guest_macs, .addresses = request.guests, .infrastructure = grant.infrastructure()};
  sources.protocols = granted_protocols(request);
  const auto* bridge = request.bridge ? host.link(request.bridge->str()) : nullptr;
  if (bridge == nullptr) {
    // Its only neighbour is the host, which is not to be configured.
    sources.infrastructure.router = false;
    return sources;
  }
  const auto keep = [&](const Ipv6& address) {
    auto& others = sources.link_local_of_others;
    if (may_be_guests_link_local(address) && std::ranges::find(others, address) == others.end())
      others.push_back(address);
  };
  for (const auto& own : host.ipv6_addresses)
    if (own.ifindex == bridge->ifindex) keep(own.address);
  const auto keep_gateways = [&](const auto& routes) {
    for (const auto& route : routes)
      if (route.ifindex == bridge->ifindex && route.gateway)
        if (const auto* gateway = std::get_if<Ipv6>(&*route.gateway)) keep(*gateway);
  };
  keep_gateways(host.routes);
  keep_gateways(host.ipv6_routes);
  if (sources.link_local_of_others.size() > kMaxLinkLocalOfOthers)
    return fail(Code::conflict, "the bridge " + bridge->name + " has too many link-local addresses to filter",
                "The administrator removes some: ip -6 address show dev " + bridge->name);
  return sources;
}

}  // namespace umlnet::policy
