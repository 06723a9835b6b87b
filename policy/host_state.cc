#include "policy/host_state.h"

#include <algorithm>

namespace umlnet::policy {

using rtnetlink::Link;
using rtnetlink::ProxyEntry;
using rtnetlink::Route;

namespace {

bool is_made_by(const Link& link, uid_t uid) {
  const auto tag = link.tap ? DeviceTag::parse(link.alias) : std::nullopt;
  return tag && tag->uid == uid;
}

}  // namespace

const Link* HostState::link(int ifindex) const {
  const auto it = std::ranges::find(links, ifindex, &Link::ifindex);
  return it != links.end() ? &*it : nullptr;
}

const Link* HostState::link(std::string_view name) const {
  const auto it = std::ranges::find(links, name, &Link::name);
  return it != links.end() ? &*it : nullptr;
}

unsigned HostState::devices_of(uid_t uid) const {
  return static_cast<unsigned>(std::ranges::count_if(links, [&](const Link& link) { return is_made_by(link, uid); }));
}

unsigned HostState::addresses_of(uid_t uid) const {
  return static_cast<unsigned>(std::ranges::count_if(routes, [&](const Route& route) {
    const Link* device = route.protocol == rtnetlink::kProtocol ? link(route.ifindex) : nullptr;
    return device != nullptr && is_made_by(*device, uid);
  }));
}

const Route* HostState::guest_route(Ipv4 address) const {
  const auto it = std::ranges::find_if(routes, [&](const Route& route) {
    return route.protocol == rtnetlink::kProtocol && route.destination == address && route.mask.length() == 32;
  });
  return it != routes.end() ? &*it : nullptr;
}

std::optional<std::string> HostState::address_in_use(Ipv4 address, int ifindex) const {
  const auto name_of = [&](int index) {
    const Link* device = link(index);
    return device != nullptr ? device->name : "another device";
  };
  for (const auto& own : addresses) {
    const bool has_broadcast = own.mask.length() < 31;
    if (own.address == address) return "the host's own address on " + name_of(own.ifindex);
    if (own.broadcast == address || (has_broadcast && own.mask.broadcast_of(own.address) == address))
      return "the broadcast address of " + name_of(own.ifindex);
    if (has_broadcast && own.mask.network_of(own.address) == address)
      return "the network address of " + name_of(own.ifindex);
  }
  for (const auto& route : routes) {
    if (route.gateway == address) return "the host's gateway on " + name_of(route.ifindex);
    if (route.mask.length() == 32 && route.destination == address && route.ifindex != ifindex)
      return "already routed to another device";
  }
  return std::nullopt;
}

std::optional<std::string> HostState::gateway_in_use(Ipv4 address) const {
  constexpr int kNoDevice = 0;
  const bool is_ours = std::ranges::find(addresses, address, &rtnetlink::Address::address) != addresses.end();
  return is_ours ? std::nullopt : address_in_use(address, kNoDevice);
}

std::optional<uid_t> maker_of(const Link& link) {
  if (!link.tap) return std::nullopt;
  const auto tag = DeviceTag::parse(link.alias);
  if (!tag || link.tun_owner != tag->uid) return std::nullopt;
  return tag->uid;
}

bool is_abandoned(const Link& link) {
  return link.tap && link.persistent && !link.carrier && DeviceTag::parse(link.alias).has_value();
}

bool is_stale(const HostState& host, const ProxyEntry& entry) {
  return rtnetlink::is_our_protocol(entry.protocol) && host.guest_route(entry.address) == nullptr;
}

bool has_garbage(const HostState& host) {
  return std::ranges::any_of(host.links, is_abandoned) ||
         std::ranges::any_of(host.proxy_entries, [&](const ProxyEntry& entry) { return is_stale(host, entry); });
}

}  // namespace umlnet::policy
