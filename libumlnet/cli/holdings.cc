#include "libumlnet/cli/holdings.h"

#include <algorithm>
#include <ranges>
#include <set>
#include <string_view>
#include <tuple>

#include "libumlnet/core/device_tag.h"
#include "policy/upkeep.h"

namespace umlnet::cli {
namespace {

using rtnetlink::Link;

constexpr const char* kCollect = "uml_net gc";

// Of both families.
struct Published {
  IpAddress address;
  int lan;
};
struct Routed {
  IpRange network;
  int device;
};

std::string name_of(const policy::HostState& state, int ifindex) {
  const Link* link = state.link(ifindex);
  return link != nullptr ? link->name : "device " + std::to_string(ifindex);
}

// In the order of the addresses' numbers.
std::vector<Routed> guest_routes(const policy::HostState& state) {
  std::vector<Routed> routes;
  const auto add = [&](const auto& route, unsigned length) {
    if (route.protocol == rtnetlink::kProtocol)
      routes.push_back({IpRange::network_of(route.destination, length), route.ifindex});
  };
  auto ipv4 = state.routes;
  auto ipv6 = state.ipv6_routes;
  std::ranges::sort(ipv4, {}, &rtnetlink::Route::destination);
  std::ranges::sort(ipv6, {}, &rtnetlink::Ipv6Route::destination);
  for (const auto& route : ipv4) add(route, route.mask.length());
  for (const auto& route : ipv6) add(route, route.prefix_length);
  return routes;
}

std::vector<Published> published_addresses(const policy::HostState& state) {
  std::vector<Published> entries;
  const auto add = [&](const auto& entry) {
    if (rtnetlink::is_our_protocol(entry.protocol)) entries.push_back({entry.address, entry.ifindex});
  };
  std::ranges::for_each(state.proxy_entries, add);
  std::ranges::for_each(state.ipv6_proxy_entries, add);
  std::ranges::sort(entries, {},
                    [](const Published& entry) { return std::tuple(entry.lan, to_string(entry.address)); });
  return entries;
}

// With prefix lengths, where wanted.
std::vector<std::string> host_addresses(const policy::HostState& state, int ifindex, bool with_length) {
  std::vector<std::string> addresses;
  const auto add = [&](const std::string& address, unsigned length) {
    addresses.push_back(with_length ? address + "/" + std::to_string(length) : address);
  };
  for (const auto& address : state.addresses)
    if (address.ifindex == ifindex) add(address.address.str(), address.mask.length());
  for (const auto& address : state.ipv6_addresses)
    if (address.ifindex == ifindex && !address.link_local) add(address.address.str(), address.prefix_length);
  return addresses;
}

// Whether one of the words is that one.
bool asks_for(std::string_view request, std::string_view word) {
  return std::ranges::any_of(std::views::split(request, ' '),
                             [&](const auto& part) { return std::string_view(part.begin(), part.end()) == word; });
}

std::optional<Leftover> leftover_device(const Link& link, const DeviceTag& tag) {
  const std::string what = "device " + link.name;
  if (policy::is_abandoned(link)) return Leftover{what, "made persistent, and nobody holds it open", kCollect};
  if (policy::maker_of(link)) return std::nullopt;
  const std::string owner = link.tun_owner ? "uid " + std::to_string(*link.tun_owner) : "nobody";
  return Leftover{what,
                  "made for uid " + std::to_string(tag.uid) + ", and its holder gave it to " + owner +
                      ": uml_net serves neither on it",
                  "end its holder, or as root: ip link delete " + link.name};
}

// A process elsewhere may hold another device of the same name: it counts where it is the maker's own, and nobody here
// holds one.
std::vector<TapHolder> holders_of(const Link& link, uid_t maker, const std::vector<TapHolder>& holders) {
  std::vector<TapHolder> here, elsewhere;
  for (const auto& holder : holders) {
    if (holder.device != link.name) continue;
    if (!holder.elsewhere)
      here.push_back(holder);
    else if (holder.uid == maker)
      elsewhere.push_back(holder);
  }
  return here.empty() ? elsewhere : here;
}

}  // namespace

std::vector<Leftover> missing_things(const policy::HostState& state) {
  constexpr const char* kWhy = "it was, until the network changed";
  std::vector<Leftover> things;
  const auto upkeep = policy::upkeep_of(state);
  for (const auto& route : upkeep.routes)
    things.push_back({route.network.compact() + " not routed to " + name_of(state, route.ifindex), kWhy, kCollect});
  for (const auto& held : upkeep.host_addresses)
    things.push_back({held.address.str() + " not on " + name_of(state, held.ifindex), kWhy, kCollect});
  for (const auto& entry : upkeep.publications)
    things.push_back({to_string(entry.address) + " not published on " + name_of(state, entry.lan), kWhy, kCollect});
  for (const int ifindex : upkeep.forwarding)
    things.push_back({"forwarding off for " + name_of(state, ifindex), "a guest needs it", kCollect});
  for (const int ifindex : upkeep.forwarding_in_vain)
    things.push_back({"forwarding on for " + name_of(state, ifindex), "no guest needs it any more", kCollect});
  return things;
}

Holdings put_together(const policy::HostState& state, const std::vector<TapHolder>& holders) {
  Holdings holdings;
  const auto routes = guest_routes(state);
  const auto published = published_addresses(state);
  std::set<int> ours, lans;

  for (const auto& link : state.links) {
    const auto tag = link.tap ? DeviceTag::parse(link.alias) : std::nullopt;
    if (!tag) continue;
    ours.insert(link.ifindex);
    Holdings::Device device{.name = link.name,
                            .ifindex = link.ifindex,
                            .uid = tag->uid,
                            .id = tag->id.str(),
                            .request = tag->request,
                            .since = tag->since,
                            .up = link.up,
                            .queues = link.queues,
                            .persistent = link.persistent,
                            .sealed = asks_for(tag->request, "sealed"),
                            .isolated = link.isolated,
                            .rx_packets = link.rx_packets,
                            .rx_bytes = link.rx_bytes,
                            .tx_packets = link.tx_packets,
                            .tx_bytes = link.tx_bytes,
                            .tx_dropped = link.tx_dropped,
                            .gateways = host_addresses(state, link.ifindex, false),
                            .guests = {},
                            .bridge = link.master != 0 ? name_of(state, link.master) : "",
                            .holders = holders_of(link, tag->uid, holders),
                            .leftover = leftover_device(link, *tag)};
    if (link.master != 0) lans.insert(link.master);
    for (const auto& route : routes) {
      if (route.device != link.ifindex) continue;
      Holdings::Guest guest{.address = route.network.compact(), .lans = {}};
      for (const auto& entry : published) {
        // On another TAP it is published for the guest there, as on a LAN.
        if (!route.network.contains(entry.address)) continue;
        if (auto lan = name_of(state, entry.lan); std::ranges::find(guest.lans, lan) == guest.lans.end())
          guest.lans.push_back(std::move(lan));
        lans.insert(entry.lan);
      }
      device.guests.push_back(std::move(guest));
    }
    holdings.devices.push_back(std::move(device));
  }
  std::ranges::sort(holdings.devices, {},
                    [](const Holdings::Device& device) { return std::pair(device.uid, device.ifindex); });

  for (const int lan : lans)
    if (!ours.contains(lan))
      holdings.lans.push_back({.name = name_of(state, lan), .addresses = host_addresses(state, lan, true)});

  for (const auto& route : routes)
    if (!ours.contains(route.device)) {
      const std::string device = name_of(state, route.device);
      holdings.leftovers.push_back({"route to " + route.network.compact() + " on " + device,
                                    device + " is no device of uml_net",
                                    "as root: ip route delete " + route.network.compact() + " dev " + device +
                                        " proto " + std::to_string(rtnetlink::kProtocol)});
    }
  for (const auto& entry : published)
    if (std::ranges::none_of(routes, [&](const Routed& route) { return route.network.contains(entry.address); }) &&
        !policy::is_marked(state, entry.address))
      holdings.leftovers.push_back(
          {to_string(entry.address) + " published on " + name_of(state, entry.lan), "its guest is gone", kCollect});
  const auto missing = missing_things(state);
  holdings.leftovers.insert(holdings.leftovers.end(), missing.begin(), missing.end());
  return holdings;
}

}  // namespace umlnet::cli
