#include "policy/host_state.h"

#include <algorithm>
#include <ranges>

#include "policy/quota_usage.h"
#include "policy/upkeep.h"

namespace umlnet::policy {

using rtnetlink::Ipv6ProxyEntry;
using rtnetlink::Ipv6Route;
using rtnetlink::Link;
using rtnetlink::ProxyEntry;
using rtnetlink::Route;

IpRange network_of(const Route& route) { return IpRange::network_of(route.destination, route.mask.length()); }
IpRange network_of(const Ipv6Route& route) { return IpRange::network_of(route.destination, route.prefix_length); }

namespace {

bool is_in_main_table(const auto& route) { return route.table == rtnetlink::kMainTable; }

bool is_ours(const auto& route) { return route.protocol == rtnetlink::kProtocol && is_in_main_table(route); }

std::string name_of(const HostState& host, int ifindex) {
  const Link* device = host.link(ifindex);
  return device != nullptr ? device->name : "another device";
}

using policy::network_of;
IpRange network_of(const rtnetlink::Address& own) { return IpRange::network_of(own.address, own.mask.length()); }
IpRange network_of(const rtnetlink::Ipv6Address& own) { return IpRange::network_of(own.address, own.prefix_length); }

// Whether `address` is in a network that is on a device of another user, or is routed to one. What the guests there
// receive would go to somebody else.
bool in_network_of_another(const auto& addresses, const auto& routes, const HostState& host, const auto& address,
                           uid_t uid) {
  const auto holds = [&](const auto& held) {
    const auto network = network_of(held);
    return network.length() != 0 && network.contains(address) && host.is_of_another(held.ifindex, uid);
  };
  return std::ranges::any_of(addresses, holds) || std::ranges::any_of(routes, holds);
}

// A route of IPv4 may have a gateway of IPv6.
std::optional<std::string> gateway_of(const HostState& host, const IpAddress& address) {
  const auto first_in = [&](const auto& routes) -> std::optional<std::string> {
    for (const auto& route : routes)
      if (route.gateway == address) return "the host's gateway on " + name_of(host, route.ifindex);
    return std::nullopt;
  };
  const auto use = first_in(host.routes);
  return use ? use : first_in(host.ipv6_routes);
}

std::optional<std::string> in_use(const HostState& host, Ipv4 address, int ifindex, uid_t uid) {
  for (const auto& own : host.addresses) {
    const bool has_broadcast = own.mask.length() < 31;
    if (own.address == address) return "the host's own address on " + name_of(host, own.ifindex);
    if (own.broadcast == address || (has_broadcast && own.mask.broadcast_of(own.address) == address))
      return "the broadcast address of " + name_of(host, own.ifindex);
    if (has_broadcast && own.mask.network_of(own.address) == address)
      return "the network address of " + name_of(host, own.ifindex);
  }
  if (auto use = gateway_of(host, address)) return use;
  for (const auto& route : host.routes) {
    if (route.mask.length() == 32 && route.destination == address && route.ifindex != ifindex)
      return "already routed to another device";
  }
  if (in_network_of_another(host.addresses, host.routes, host, address, uid))
    return "in a network that is routed to another device";
  return std::nullopt;
}

// The lowest address of a network stands for all of its routers (RFC 4291, 2.6.1), as long as the network has room for
// hosts besides (RFC 6164).
bool has_router_anycast(unsigned prefix_length) { return prefix_length < 127; }

std::optional<std::string> in_use(const HostState& host, const Ipv6& address, int ifindex, uid_t uid) {
  for (const auto& own : host.ipv6_addresses) {
    if (own.address == address) return "the host's own address on " + name_of(host, own.ifindex);
    if (has_router_anycast(own.prefix_length) &&
        IpRange::network_of(own.address, own.prefix_length).first() == IpAddress(address))
      return "the address of all routers of " + name_of(host, own.ifindex);
  }
  if (auto use = gateway_of(host, address)) return use;
  for (const auto& route : host.ipv6_routes) {
    if (route.prefix_length == 128 && route.destination == address && route.ifindex != ifindex)
      return "already routed to another device";
  }
  if (in_network_of_another(host.ipv6_addresses, host.ipv6_routes, host, address, uid))
    return "in a network that is routed to another device";
  return std::nullopt;
}

}  // namespace

const Link* HostState::link(int ifindex) const {
  const auto it = std::ranges::find(links, ifindex, &Link::ifindex);
  return it != links.end() ? &*it : nullptr;
}

const Link* HostState::link(std::string_view name) const {
  const auto it = std::ranges::find_if(links, [&](const Link& link) { return is_named(link, name); });
  return it != links.end() ? &*it : nullptr;
}

unsigned HostState::devices_of(uid_t uid) const {
  return static_cast<unsigned>(std::ranges::count_if(links, [&](const Link& link) { return made_for(link) == uid; }));
}

unsigned HostState::ports_of(uid_t uid, const IfName& bridge) const {
  const Link* master = link(bridge.str());
  if (master == nullptr) return 0;
  return static_cast<unsigned>(std::ranges::count_if(
      links, [&](const Link& link) { return link.master == master->ifindex && made_for(link) == uid; }));
}

unsigned HostState::addresses_of(uid_t uid) const {
  // Not link() for every route: with many of both that would be their product.
  std::vector<int> own;
  for (const auto& link : links)
    if (made_for(link) == uid) own.push_back(link.ifindex);
  std::ranges::sort(own);
  unsigned count = 0;
  const auto add = [&](const auto& route) {
    if (is_ours(route) && std::ranges::binary_search(own, route.ifindex)) count += address_count(network_of(route));
  };
  std::ranges::for_each(routes, add);
  std::ranges::for_each(ipv6_routes, add);
  for (const auto& link : links)
    if (made_for(link) == uid) count += unrouted_guests(*this, link);
  return count;
}

const Route* HostState::guest_route(Ipv4 address) const {
  const auto it = std::ranges::find_if(routes, [&](const Route& route) {
    return is_ours(route) && route.destination == address && route.mask.length() == 32;
  });
  return it != routes.end() ? &*it : nullptr;
}

const Ipv6Route* HostState::guest_route(const Ipv6& address) const {
  const auto it = std::ranges::find_if(ipv6_routes, [&](const Ipv6Route& route) {
    return is_ours(route) && route.destination == address && route.prefix_length == 128;
  });
  return it != ipv6_routes.end() ? &*it : nullptr;
}

namespace {

template <class Route>
const Route* most_special(const std::vector<Route>& routes, const auto& address) {
  const Route* found = nullptr;
  for (const auto& route : routes)
    if (route.protocol == rtnetlink::kProtocol && network_of(route).contains(address) &&
        (found == nullptr || network_of(route).length() > network_of(*found).length()))
      found = &route;
  return found;
}

}  // namespace

const Route* HostState::route_to_guest(Ipv4 address) const { return most_special(routes, address); }
const Ipv6Route* HostState::route_to_guest(const Ipv6& address) const { return most_special(ipv6_routes, address); }

std::optional<std::string> HostState::guest_network_in_use(const IpRange& network, uid_t uid) const {
  using Use = std::optional<std::string>;
  const auto on = [&](int ifindex) { return " on " + name_of(*this, ifindex); };
  for (const auto& own : addresses) {
    const bool has_broadcast = own.mask.length() < 31;
    if (network.contains(own.address)) return "holds the host's own address" + on(own.ifindex);
    if ((own.broadcast && network.contains(*own.broadcast)) ||
        (has_broadcast &&
         (network.contains(own.mask.broadcast_of(own.address)) || network.contains(own.mask.network_of(own.address)))))
      return "holds the broadcast or network address of " + name_of(*this, own.ifindex);
  }
  for (const auto& own : ipv6_addresses)
    if (network.contains(own.address) ||
        (has_router_anycast(own.prefix_length) && network.contains(network_of(own).first())))
      return "holds the host's own address, or that of all routers," + on(own.ifindex);
  const auto first_in = [&](const auto& of_family) -> Use {
    for (const auto& route : of_family) {
      if (route.gateway && network.contains(*route.gateway)) return "holds the host's gateway" + on(route.ifindex);
      const auto taken = network_of(route);
      const bool is_guests = route.protocol == rtnetlink::kProtocol || is_of_another(route.ifindex, uid);
      if (taken.length() != 0 && (network.covers(taken) || (is_guests && taken.covers(network))))
        return is_guests ? "overlaps what is routed to another device"
                         : "holds " + taken.str() + ", which is routed to " + name_of(*this, route.ifindex);
    }
    return std::nullopt;
  };
  if (auto use = first_in(routes)) return use;
  if (auto use = first_in(ipv6_routes)) return use;
  if (is_marked_elsewhere(*this, network, 0)) return "overlaps what is routed to another device";
  const auto is_inside = [&](const IpAddress& address) { return network.contains(address); };
  if (std::ranges::any_of(local_addresses, is_inside)) return "holds an address that the host takes for its own";
  if (std::ranges::any_of(neighbours, is_inside)) return "holds the address of a machine or container in reach";
  return std::nullopt;
}

bool HostState::has_guest_route(const IpAddress& address) const {
  return std::visit([&](const auto& of_family) { return guest_route(of_family) != nullptr; }, address);
}

std::optional<std::string> HostState::address_in_use(const IpAddress& address, int ifindex, uid_t uid) const {
  auto use = std::visit([&](const auto& of_family) { return in_use(*this, of_family, ifindex, uid); }, address);
  if (use) return use;
  if (std::ranges::find(local_addresses, address) != local_addresses.end())
    return "the host's own address by a route of the type local or broadcast";
  if (is_marked_elsewhere(*this, IpRange::just(address), ifindex)) return "already routed to another device";
  if (std::ranges::find(neighbours, address) != neighbours.end())
    return "the address of a machine or container that this host can reach now";
  return std::nullopt;
}

std::optional<std::string> HostState::network_in_use(const IpInterface& address, uid_t uid) const {
  const auto network = address.network();
  if (is_marked_for_another(*this, network, uid)) return "holds an address of another device";
  const auto look = [&](const auto& held, bool own) -> std::optional<std::string> {
    const auto taken = network_of(held);
    if (!taken.overlaps(network) || taken.length() == 0) return std::nullopt;
    if (!taken.is_one_address())
      return own ? "overlaps the host's own network " + taken.str() + " on " + name_of(*this, held.ifindex)
                 : "overlaps " + taken.str() + ", which is routed to " + name_of(*this, held.ifindex);
    // A route to one address is more special than any to a network: for the caller's own devices and the host's nothing
    // changes. Of another user's device it would be an address inside the caller's network.
    const bool is_shared = own && taken.first() == address.address;
    if (is_shared || !is_of_another(held.ifindex, uid)) return std::nullopt;
    return "holds an address of another device";
  };
  const auto first_in = [&](auto&& records, bool own) -> std::optional<std::string> {
    for (const auto& held : records)
      if (auto use = look(held, own)) return use;
    return std::nullopt;
  };
  if (auto use = first_in(addresses, true)) return use;
  if (auto use = first_in(ipv6_addresses, true)) return use;
  // Other tables are for packets that the administrator chose, as by rules for their sources.
  if (auto use = first_in(routes | std::views::filter([](const auto& r) { return is_in_main_table(r); }), false))
    return use;
  return first_in(ipv6_routes | std::views::filter([](const auto& r) { return is_in_main_table(r); }), false);
}

std::optional<std::string> HostState::host_address_in_use(const IpAddress& address, uid_t uid) const {
  constexpr int kNoDevice = 0;
  const auto is_the_address = [&](const auto& own) { return IpAddress(own.address) == address; };
  const bool is_ours =
      std::ranges::any_of(addresses, is_the_address) || std::ranges::any_of(ipv6_addresses, is_the_address);
  return is_ours ? std::nullopt : address_in_use(address, kNoDevice, uid);
}

bool HostState::is_of_another(int ifindex, uid_t uid) const {
  const Link* device = link(ifindex);
  const auto maker = device != nullptr ? made_for(*device) : std::nullopt;
  return maker && *maker != uid;
}

std::vector<IpAddress> guests_of(const Request& request) {
  if (const auto* add = std::get_if<AddAddress>(&request)) return {add->address};
  const auto* open = std::get_if<OpenInterface>(&request);
  std::vector<IpAddress> guests;
  if (open == nullptr || open->bridge) return guests;
  for (const auto& guest : open->guests) {
    auto addresses = published_addresses(guest);
    if (addresses.empty()) addresses.push_back(guest.first());
    guests.insert(guests.end(), addresses.begin(), addresses.end());
  }
  return guests;
}

std::vector<int> on_link_devices(const HostState& host, const IpAddress& address) {
  std::vector<int> devices;
  const auto look = [&](const auto& routes) {
    for (const auto& route : routes) {
      if (route.gateway || !network_of(route).contains(address)) continue;
      const auto* link = host.link(route.ifindex);
      if (link != nullptr && !link->loopback && !made_for(*link) &&
          std::ranges::find(devices, route.ifindex) == devices.end())
        devices.push_back(route.ifindex);
    }
  };
  look(host.routes);
  look(host.ipv6_routes);
  return devices;
}

std::optional<uid_t> made_for(const Link& link) {
  const auto tag = link.tap ? DeviceTag::parse(link.alias) : std::nullopt;
  return tag ? std::optional(tag->uid) : std::nullopt;
}

std::optional<uid_t> maker_of(const Link& link) {
  const auto tag = link.tap ? DeviceTag::parse(link.alias) : std::nullopt;
  if (!tag) return std::nullopt;
  const DeviceOwner owner = tag->owner.value_or(DeviceOwner{.id = tag->uid});
  const bool has_owner =
      owner.kind == DeviceOwner::Kind::user ? link.tun_owner == owner.id : !link.tun_owner.has_value();
  return has_owner ? std::optional(tag->uid) : std::nullopt;
}

bool may_remove(const Link& link, uid_t uid) {
  const auto tag = link.tap ? DeviceTag::parse(link.alias) : std::nullopt;
  return tag && (uid == 0 || tag->uid == uid || tag->owner == DeviceOwner{.id = uid});
}

bool is_abandoned(const Link& link) {
  if (!link.tap || !link.persistent || link.carrier) return false;
  const auto tag = DeviceTag::parse(link.alias);
  return tag && !tag->persistent;
}

bool is_stale(const HostState& host, const ProxyEntry& entry) {
  return rtnetlink::is_our_protocol(entry.protocol) && host.route_to_guest(entry.address) == nullptr &&
         !is_marked(host, entry.address);
}

bool is_stale(const HostState& host, const Ipv6ProxyEntry& entry) {
  return rtnetlink::is_our_protocol(entry.protocol) && host.route_to_guest(entry.address) == nullptr &&
         !is_marked(host, entry.address);
}

bool has_garbage(const HostState& host) {
  const auto is_left = [&](const auto& entry) { return is_stale(host, entry); };
  return std::ranges::any_of(host.links, is_abandoned) || std::ranges::any_of(host.proxy_entries, is_left) ||
         std::ranges::any_of(host.ipv6_proxy_entries, is_left) || !upkeep_of(host).empty();
}

}  // namespace umlnet::policy
