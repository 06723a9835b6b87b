#include "policy/without.h"

#include <vector>

#include "libumlnet/core/device_marks.h"

namespace umlnet::policy {

void forget_device(HostState& host, int ifindex) {
  const auto is_on_it = [&](const auto& record) { return record.ifindex == ifindex; };
  const auto is_its_guests = [&](const auto& entry) {
    const auto* route = host.route_to_guest(entry.address);
    return rtnetlink::is_our_protocol(entry.protocol) && route != nullptr && route->ifindex == ifindex;
  };
  std::erase_if(host.proxy_entries, is_its_guests);
  std::erase_if(host.ipv6_proxy_entries, is_its_guests);
  std::erase_if(host.links, is_on_it);
  std::erase_if(host.addresses, is_on_it);
  std::erase_if(host.ipv6_addresses, is_on_it);
  std::erase_if(host.routes, is_on_it);
  std::erase_if(host.ipv6_routes, is_on_it);
}

void forget_guest(HostState& host, Ipv4 guest, int ifindex) {
  for (auto& link : host.links)
    if (link.ifindex == ifindex)
      std::erase_if(link.alternative_names,
                    [&](const auto& name) { return guest_of_mark(name) == IpRange::just(guest); });
  const auto* route = host.guest_route(guest);
  if (route == nullptr || route->ifindex != ifindex) return;
  host.routes.erase(host.routes.begin() + (route - host.routes.data()));
  std::erase_if(host.proxy_entries, [&](const auto& entry) {
    return rtnetlink::is_our_protocol(entry.protocol) && entry.address == guest;
  });
}

}  // namespace umlnet::policy
