#include "uml_net/priv/plan.h"

#include <algorithm>
#include <charconv>
#include <ranges>

#include "libumlnet/core/boot_time.h"
#include "libumlnet/core/device_marks.h"
#include "libumlnet/core/device_tag.h"
#include "libumlnet/core/native5_words.h"
#include "policy/guest_sources.h"
#include "policy/lan_devices.h"
#include "policy/upkeep.h"
#include "uml_net/priv/publication.h"

namespace umlnet::priv {

// The one maker of plans.
class Planner {
 public:
  static Plan plan(const policy::Grant& grant, Steps steps, Device device, std::chrono::nanoseconds expires) {
    return {grant, std::move(steps), std::move(device), expires};
  }
};

namespace {

using policy::Grant;
using policy::HostState;
using rtnetlink::Link;
using rtnetlink::ProxyEntry;
using rtnetlink::Route;

bool is_ours(const ProxyEntry& entry) { return rtnetlink::is_our_protocol(entry.protocol); }
bool is_ours(const Route& route) { return route.protocol == rtnetlink::kProtocol; }

bool is_published(const HostState& host, const Route& route) {
  const auto network = policy::network_of(route);
  return std::ranges::any_of(
      host.proxy_entries, [&](const ProxyEntry& entry) { return is_ours(entry) && network.contains(entry.address); });
}

Result<Steps> plan_tap(const std::optional<IfName>& name, const std::optional<Ipv4>& gateway, const Grant& grant,
                       const RequestId& id) {
  std::string words(request_name(grant.request()));
  if (gateway) words += " gateway=" + gateway->str();
  Steps plan;
  plan.changes.push_back(MakeTapDevice{
      .owner = {.id = grant.uid()}, .tag = DeviceTag{grant.uid(), id, std::nullopt, words}, .name = name});
  if (gateway) plan.changes.push_back(PutHostAddress{Device{}, IpInterface{*gateway, 32}});
  plan.changes.push_back(SetLinkUp{Device{}});
  return plan;
}

Result<Steps> plan_bridged_tap(const MakeBridgedTap& request, const Grant& grant, const RequestId& id,
                               const HostState& host) {
  const Link* bridge = host.link(request.bridge.str());
  if (bridge == nullptr) return fail(Code::bug, "no bridge " + request.bridge.str());
  const std::string words = std::string(request_name(grant.request())) + " bridge=" + bridge->name;
  const DeviceTag tag{grant.uid(), id, std::nullopt, words};
  Steps plan;
  plan.changes.push_back(MakeTapDevice{
      .owner = {.id = grant.uid()}, .tag = tag, .virtio_headers = request.virtio_headers, .guard = std::nullopt});
  // Before it is a port: a bridge takes over the lowest MTU and the lowest MAC address among its ports.
  plan.changes.push_back(SetMtu{Device{}, bridge->mtu});
  plan.changes.push_back(SetMacPrefixFe{Device{}});
  plan.changes.push_back(SetMaster{Device{}, device_of(*bridge)});
  plan.changes.push_back(SetLinkUp{Device{}});
  return plan;
}

// The route comes first and goes last: whoever sees a proxy entry without a route may take it for garbage.
Result<Steps> plan_add(const AddAddress& request, const Grant& grant, const HostState& host) {
  const Link* link = host.link(request.device.str());
  if (link == nullptr) return fail(Code::bug, "no device " + request.device.str());
  const Device device = device_of(*link);
  const Ipv4 address = request.address;
  Steps plan;

  const Route* route = host.guest_route(address);
  if (route != nullptr && route->ifindex != link->ifindex)
    return fail(Code::conflict, address.str() + " is already routed to another device",
                "Choose another address for the guest.");
  if (route == nullptr) plan.changes.push_back(AddRoute{device, IpRange::just(address)});
  if (!link->ipv4.proxy_arp) plan.changes.push_back(SetProxyArp{device, true});
  Publication publication(grant, host, plan);
  publication.on(policy::lans_of(host, address, request.netmask), IpRange::just(address));
  publication.finish(device, link->ipv4.forwarding, link->alternative_names);
  return plan;
}

// The guest's own address of that family: the first that the request names.
std::optional<IpAddress> router_of(const OpenInterface& request, const IpRange& network) {
  for (const auto& guest : request.guests)
    if (guest.is_one_address() && guest.first().index() == network.first().index()) return guest.first();
  return std::nullopt;
}

// All of a new device, in an order in which it is never open to more than was asked for: its filter stands before it is
// up, and what outlives the program comes last.
Result<Steps> plan_open(const OpenInterface& request, const Grant& grant, const RequestId& id, const HostState& host,
                        std::uint32_t group) {
  const Link* bridge = request.bridge ? host.link(request.bridge->str()) : nullptr;
  if (request.bridge && bridge == nullptr) return fail(Code::bug, "no bridge " + request.bridge->str());
  // In the tag what is longest comes last, as it is cut off there.
  const auto asked = native5::words_of(request);
  std::string words;
  for (const bool has_value : {false, true})
    for (const auto& word : asked)
      if (word.contains('=') == has_value && !word.starts_with("netns=")) words += (words.empty() ? "" : " ") + word;
  DeviceTag tag{grant.uid(), id, std::nullopt, words};
  tag.persistent = request.persistent;
  tag.owner = request.owner;

  const Device device{};
  const auto protocols = policy::granted_protocols(request);
  Steps plan;
  plan.changes.push_back(
      MakeTapDevice{.owner = request.owner.value_or(DeviceOwner{.id = grant.uid()}),
                    .tag = tag,
                    .name = request.device,
                    .virtio_headers = request.virtio_headers,
                    .queues = request.queues,
                    .group = request.persistent ? 0 : group,
                    .guard = bridge != nullptr || request.anti_spoof ? std::nullopt : std::optional(protocols)});
  if (request.anti_spoof) {
    auto sources = policy::guest_sources(request, grant, host);
    if (!sources) return std::unexpected(std::move(sources.error()));
    plan.changes.push_back(PutAntiSpoof{device, *std::move(sources)});
  }
  // Before it is a port: a bridge takes over the lowest MTU and the lowest MAC address among its ports.
  if (request.mtu || bridge != nullptr)
    plan.changes.push_back(SetMtu{device, request.mtu ? *request.mtu : bridge->mtu});
  if (request.mac)
    plan.changes.push_back(SetMac{device, *request.mac});
  else if (bridge != nullptr)
    plan.changes.push_back(SetMacPrefixFe{device});
  if (bridge != nullptr) plan.changes.push_back(SetMaster{device, device_of(*bridge)});
  if (request.isolated) plan.changes.push_back(IsolatePort{device});
  for (const auto& address : request.addresses) plan.changes.push_back(PutHostAddress{device, address});
  plan.changes.push_back(SetLinkUp{device});
  for (const auto& address : request.addresses)
    if (std::holds_alternative<Ipv6>(address.address))
      plan.changes.push_back(SetMark{device, name_of_host_address(address, id.str().substr(0, 8)), true});
  if (bridge == nullptr && !request.guests.empty()) {
    // A network is routed by way of the guest itself, where the request names it, and then needs the route to that
    // first.
    for (const auto& guest : request.guests)
      if (guest.is_one_address()) plan.changes.push_back(AddRoute{device, guest});
    for (const auto& guest : request.guests)
      if (!guest.is_one_address()) plan.changes.push_back(AddRoute{device, guest, router_of(request, guest)});
    const bool any_ipv4 = std::ranges::any_of(request.guests, &IpRange::is_ipv4);
    if (any_ipv4 && !host.default_device.proxy_arp) plan.changes.push_back(SetProxyArp{device, true});
    Publication publication(grant, host, plan);
    for (const auto& guest : request.guests)
      publication.on(policy::lans_for(host, guest), guest,
                     guest.is_one_address() ? std::nullopt : router_of(request, guest));
    publication.finish(device, host.default_device.forwarding, {});
  }
  if (request.persistent) plan.changes.push_back(MakePersistent{device});
  return plan;
}

// Takes proxy entries back and, with the last one on a device, the forwarding that came with the first. Forwarding goes
// off before the entry that remembers it: killed in between, the next helper finds the mark and does it again.
void withdraw(const HostState& host, const std::vector<ProxyEntry>& entries, int besides, std::vector<IpRange> without,
              Steps& plan) {
  for (const auto& entry : entries) without.push_back(IpRange::just(entry.address));
  for (const auto& entry : entries) {
    const Link* lan = host.link(entry.ifindex);
    if (lan == nullptr) continue;
    stop_forwarding(host, *lan, besides, without, plan);
    plan.changes.push_back(
        DelProxyNeigh{device_of(*lan), entry.address, entry.protocol == rtnetlink::kProtocolForwarding});
  }
}

void withdraw(const HostState& host, const std::vector<rtnetlink::Ipv6ProxyEntry>& entries, Steps& plan) {
  for (const auto& entry : entries)
    if (const Link* lan = host.link(entry.ifindex); lan != nullptr)
      plan.changes.push_back(DelProxyNeigh{device_of(*lan), entry.address, false});
}

// The LAN devices that a guest's mark names.
std::vector<const Link*> lans_of_mark(const HostState& host, const GuestMark& mark) {
  std::vector<const Link*> lans;
  for (const auto* names : {&mark.published_on, &mark.forwarded_from})
    for (const auto& name : *names)
      if (const Link* lan = host.link(name); lan != nullptr) lans.push_back(lan);
  return lans;
}

Result<Steps> plan_delete(const DeleteAddress& request, const HostState& host) {
  const Link* link = host.link(request.device.str());
  const IpRange guest = IpRange::just(request.address);
  const Route* route = host.guest_route(request.address);
  if (route != nullptr && link != nullptr && route->ifindex != link->ifindex) route = nullptr;
  const auto marks = link != nullptr ? marks_of(link->ifindex, link->alternative_names) : DeviceMarks();
  const auto mark = std::ranges::find(marks.guests, guest, &GuestMark::guest);
  if (link == nullptr || (route == nullptr && mark == marks.guests.end()))
    return fail(Code::not_found, request.address.str() + " is not routed to " + request.device.str() + " by uml_net",
                "There is nothing to take back.");
  const Device device = device_of(*link);
  Steps plan;
  for (const auto& name : link->alternative_names)
    if (guest_of_mark(name) == guest) plan.changes.push_back(SetMark{device, name, false});
  if (mark != marks.guests.end())
    for (const Link* lan : lans_of_mark(host, *mark)) stop_forwarding(host, *lan, 0, {guest}, plan);
  std::vector<ProxyEntry> entries;
  for (const auto& entry : host.proxy_entries)
    if (is_ours(entry) && entry.address == request.address) entries.push_back(entry);
  withdraw(host, entries, 0, {guest}, plan);

  // What the device's other addresses still need stays on, and so does what every new device of this host starts with.
  bool others = false, others_published = std::ranges::any_of(marks.guests, [&](const GuestMark& other) {
                         return other.guest.is_ipv4() && other.guest != guest &&
                                (!other.published_on.empty() || !other.forwarded_from.empty());
                       });
  for (const auto& other : host.routes) {
    if (!is_ours(other) || other.ifindex != link->ifindex || &other == route) continue;
    others = true;
    others_published |= is_published(host, other);
  }
  if (link->ipv4.forwarding && !others_published && !host.default_device.forwarding && !host.all.forwarding)
    plan.changes.push_back(SetForwarding{device, false});
  if (link->ipv4.proxy_arp && !others && !host.default_device.proxy_arp)
    plan.changes.push_back(SetProxyArp{device, false});
  if (route != nullptr) plan.changes.push_back(DeleteRoute{device, guest});
  return plan;
}

Result<Steps> plan_remove(const RemoveInterface& request, const HostState& host) {
  const Link* link = host.link(request.device.str());
  if (link == nullptr) return fail(Code::bug, "no device " + request.device.str());
  Steps plan;
  const auto leads_to_it = [&](const auto* route) { return route != nullptr && route->ifindex == link->ifindex; };
  std::vector<ProxyEntry> entries;
  for (const auto& entry : host.proxy_entries)
    if (is_ours(entry) && leads_to_it(host.route_to_guest(entry.address))) entries.push_back(entry);
  std::vector<IpRange> without;
  const auto marks = marks_of(link->ifindex, link->alternative_names);
  without.reserve(marks.guests.size());
  for (const auto& mark : marks.guests) without.push_back(mark.guest);
  for (const auto& mark : marks.guests)
    for (const Link* lan : lans_of_mark(host, mark)) stop_forwarding(host, *lan, link->ifindex, without, plan);
  withdraw(host, entries, link->ifindex, without, plan);
  std::vector<rtnetlink::Ipv6ProxyEntry> ipv6_entries;
  for (const auto& entry : host.ipv6_proxy_entries)
    if (rtnetlink::is_our_protocol(entry.protocol) && leads_to_it(host.route_to_guest(entry.address)))
      ipv6_entries.push_back(entry);
  withdraw(host, ipv6_entries, plan);
  plan.changes.push_back(DeleteTapDevice{device_of(*link), false});
  return plan;
}

// The guest's route goes with its device, and then the entry is stale.
bool goes_to_abandoned(const HostState& host, const auto& address) {
  const auto* route = host.route_to_guest(address);
  const Link* device = route != nullptr ? host.link(route->ifindex) : nullptr;
  return device != nullptr && policy::is_abandoned(*device);
}

// What guests that are there lost, by events of the network.
void restore(const HostState& host, Steps& plan) {
  const auto upkeep = policy::upkeep_of(host);
  const auto device = [&](int ifindex) { return device_of(*host.link(ifindex)); };
  for (const auto& held : upkeep.host_addresses)
    plan.changes.push_back(PutHostAddress{device(held.ifindex), held.address});
  for (const bool is_router : {false, true})  // a network's router is reached by a route of its own
    for (const auto& route : upkeep.routes)
      if (route.via.has_value() == is_router)
        plan.changes.push_back(AddRoute{device(route.ifindex), route.network, route.via});
  for (const auto& entry : upkeep.publications)
    plan.changes.push_back(
        AddProxyNeigh{device(entry.lan), entry.address, forwarding_is_ours(host, *host.link(entry.lan))});
  std::vector<const Link*> lans;
  for (const int ifindex : upkeep.forwarding) {
    const Link* link = host.link(ifindex);
    if (policy::made_for(*link))
      plan.changes.push_back(SetForwarding{device_of(*link), true});
    else
      lans.push_back(link);
  }
  start_forwarding(lans, plan);
  for (const int ifindex : upkeep.forwarding_in_vain) stop_forwarding(host, *host.link(ifindex), 0, {}, plan);
}

Result<Steps> plan_garbage(const HostState& host) {
  Steps plan;
  plan.all_or_nothing = false;
  std::vector<ProxyEntry> stale;
  for (const auto& entry : host.proxy_entries)
    if (policy::is_stale(host, entry) || (is_ours(entry) && goes_to_abandoned(host, entry.address)))
      stale.push_back(entry);
  withdraw(host, stale, 0, {}, plan);
  std::vector<rtnetlink::Ipv6ProxyEntry> stale_ipv6;
  for (const auto& entry : host.ipv6_proxy_entries)
    if (policy::is_stale(host, entry) ||
        (rtnetlink::is_our_protocol(entry.protocol) && goes_to_abandoned(host, entry.address)))
      stale_ipv6.push_back(entry);
  withdraw(host, stale_ipv6, plan);
  for (const auto& link : host.links)
    if (policy::is_abandoned(link)) plan.changes.push_back(DeleteTapDevice{device_of(link), true});
  restore(host, plan);
  return plan;
}

Result<Steps> steps_for(const Grant& grant, const RequestId& id, const HostState& host, std::uint32_t group) {
  struct Visitor {
    const Grant& grant;
    const RequestId& id;
    const HostState& host;
    std::uint32_t group;
    Result<Steps> operator()(const MakeTap& request) const { return plan_tap({}, request.gateway, grant, id); }
    Result<Steps> operator()(const OpenEthertap& request) const {
      return plan_tap(request.device, request.gateway, grant, id);
    }
    Result<Steps> operator()(const MakeBridgedTap& request) const { return plan_bridged_tap(request, grant, id, host); }
    Result<Steps> operator()(const AddAddress& request) const { return plan_add(request, grant, host); }
    Result<Steps> operator()(const DeleteAddress& request) const { return plan_delete(request, host); }
    Result<Steps> operator()(const OpenInterface& request) const { return plan_open(request, grant, id, host, group); }
    Result<Steps> operator()(const RemoveInterface& request) const { return plan_remove(request, host); }
    Result<Steps> operator()(const OpenSession&) const { return Steps{}; }
    Result<Steps> operator()(const CollectGarbage&) const { return plan_garbage(host); }
  };
  return std::visit(Visitor{grant, id, host, group}, grant.request());
}

// That an address change or a removal names.
Device device_named_in(const Request& request, const HostState& host) {
  const IfName* name = std::visit(ForEachKind{
                                      [](const AddAddress& add) { return &add.device; },
                                      [](const DeleteAddress& del) { return &del.device; },
                                      [](const RemoveInterface& remove) { return &remove.device; },
                                      [](const MakeTap&) -> const IfName* { return nullptr; },
                                      [](const OpenEthertap&) -> const IfName* { return nullptr; },
                                      [](const MakeBridgedTap&) -> const IfName* { return nullptr; },
                                      [](const OpenInterface&) -> const IfName* { return nullptr; },
                                      [](const OpenSession&) -> const IfName* { return nullptr; },
                                      [](const CollectGarbage&) -> const IfName* { return nullptr; },
                                  },
                                  request);
  const auto* link = name != nullptr ? host.link(name->str()) : nullptr;
  return link != nullptr ? device_of(*link) : Device{};
}

}  // namespace

bool Plan::has_expired() const { return boot_time() > expires_; }

Result<Plan> make_plan(const Grant& grant, const RequestId& id, const HostState& host, std::uint32_t group) {
  auto steps = steps_for(grant, id, host, group);
  if (!steps) return std::unexpected(std::move(steps.error()));
  return Planner::plan(grant, *std::move(steps), device_named_in(grant.request(), host), host.read_at + kDecisionLasts);
}

std::uint32_t session_group(const RequestId& id) {
  std::uint32_t number = 0;
  const std::string text = id.str();  // which begins with eight random hexadecimal digits
  std::from_chars(text.data(), text.data() + 8, number, 16);
  return number | 0x80000000U;
}

Result<Plan> plan_session_end(const Grant& session, const RequestId& id) {
  if (!std::holds_alternative<OpenSession>(session.request()))
    return fail(Code::bug, "only a session has devices to delete at its end");
  return Planner::plan(session, {.changes = {DeleteSessionDevices{session_group(id)}}, .notes = {}}, {},
                       std::chrono::nanoseconds::max());
}

}  // namespace umlnet::priv
