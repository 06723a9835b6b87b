#include "uml_net/priv/plan.h"

#include <algorithm>
#include <ranges>

#include "libumlnet/core/device_tag.h"

namespace umlnet::priv {
namespace {

using policy::Grant;
using policy::HostState;
using rtnetlink::Link;
using rtnetlink::ProxyEntry;
using rtnetlink::Route;

Device device_of(const Link& link) { return {link.ifindex, link.name}; }

bool is_ours(const ProxyEntry& entry) { return rtnetlink::is_our_protocol(entry.protocol); }
bool is_ours(const Route& route) { return route.protocol == rtnetlink::kProtocol; }

const ProxyEntry* entry_for(const HostState& host, Ipv4 address, int ifindex) {
  const auto it = std::ranges::find_if(host.proxy_entries, [&](const ProxyEntry& entry) {
    return entry.ifindex == ifindex && entry.address == address;
  });
  return it != host.proxy_entries.end() ? &*it : nullptr;
}

bool is_published(const HostState& host, Ipv4 address) {
  return std::ranges::any_of(host.proxy_entries,
                             [&](const ProxyEntry& entry) { return is_ours(entry) && entry.address == address; });
}

// Forwarding on a LAN device is the toolkit's if it is off now, or was off before the entries that stand there came.
bool forwarding_is_ours(const HostState& host, const Link& lan) {
  return !lan.ipv4.forwarding || std::ranges::any_of(host.proxy_entries, [&](const ProxyEntry& entry) {
    return entry.ifindex == lan.ifindex && entry.protocol == rtnetlink::kProtocolForwarding;
  });
}

Result<Plan> plan_tap(const std::optional<IfName>& name, const std::optional<Ipv4>& gateway, const Grant& grant,
                      const RequestId& id, bool relayed) {
  std::string words(request_name(grant.request()));
  if (gateway) words += " gateway=" + gateway->str();
  Plan plan;
  plan.changes.push_back(
      MakeTapDevice{grant.uid(), DeviceTag{grant.uid(), id, std::nullopt, words}, name, false, relayed});
  if (gateway) plan.changes.push_back(PutHostAddress{Device{}, *gateway});
  plan.changes.push_back(BringUp{Device{}});
  return plan;
}

Result<Plan> plan_bridged_tap(const MakeBridgedTap& request, const Grant& grant, const RequestId& id,
                              const HostState& host) {
  const Link* bridge = host.link(request.bridge.str());
  if (bridge == nullptr) return fail(Code::bug, "no bridge " + request.bridge.str());
  const std::string words = std::string(request_name(grant.request())) + " bridge=" + bridge->name;
  const DeviceTag tag{grant.uid(), id, std::nullopt, words};
  Plan plan;
  plan.changes.push_back(MakeTapDevice{grant.uid(), tag, std::nullopt, request.virtio_headers});
  // Before it is a port: a bridge takes over the lowest MTU and the lowest MAC address among its ports.
  plan.changes.push_back(SetMtu{Device{}, bridge->mtu});
  plan.changes.push_back(RaiseMac{Device{}});
  plan.changes.push_back(PutOnBridge{Device{}, device_of(*bridge)});
  plan.changes.push_back(BringUp{Device{}});
  return plan;
}

// The route comes first and goes last: whoever sees a proxy entry without a route may take it for garbage.
Result<Plan> plan_add(const AddAddress& request, const Grant& grant, const HostState& host) {
  const Link* link = host.link(request.device.str());
  if (link == nullptr) return fail(Code::bug, "no device " + request.device.str());
  const Device device = device_of(*link);
  const Ipv4 address = request.address;
  Plan plan;

  const Route* route = host.guest_route(address);
  if (route != nullptr && route->ifindex != link->ifindex)
    return fail(Code::conflict, address.str() + " is already routed to another device",
                "Choose another address for the guest.");
  if (route == nullptr) plan.changes.push_back(AddRoute{device, address});
  if (!link->ipv4.proxy_arp) plan.changes.push_back(SetProxyArp{device, true});

  bool published = false;
  std::vector<Change> forwarding;
  for (const Link* lan : policy::lans_of(host, address, request.netmask, link->ifindex)) {
    if (!grant.may_publish_on(lan->name)) {
      plan.notes.push_back("not published on " + lan->name + ": rule " + grant.rule() +
                           " does not list it under \"lan\"");
      continue;
    }
    const ProxyEntry* entry = entry_for(host, address, lan->ifindex);
    if (entry != nullptr && !is_ours(*entry)) {
      plan.notes.push_back("published on " + lan->name + " by somebody else already, and left so");
      continue;
    }
    published = true;
    if (entry == nullptr) plan.changes.push_back(Publish{device_of(*lan), address, forwarding_is_ours(host, *lan)});
    if (!lan->ipv4.forwarding) forwarding.push_back(SetForwarding{device_of(*lan), true});
  }
  if (published && !link->ipv4.forwarding) plan.changes.push_back(SetForwarding{device, true});
  std::ranges::move(forwarding, std::back_inserter(plan.changes));
  return plan;
}

// Takes proxy entries back and, with the last one on a device, the forwarding that came with the first. Forwarding goes
// off before the entry that remembers it: killed in between, the next helper finds the mark and does it again.
void withdraw(const HostState& host, const std::vector<ProxyEntry>& entries, Plan& plan) {
  for (const auto& entry : entries) {
    const Link* lan = host.link(entry.ifindex);
    if (lan == nullptr) continue;
    const bool others_stay = std::ranges::any_of(host.proxy_entries, [&](const ProxyEntry& other) {
      return other.ifindex == entry.ifindex && is_ours(other) &&
             std::ranges::find(entries, other.address, &ProxyEntry::address) == entries.end();
    });
    const bool marked = entry.protocol == rtnetlink::kProtocolForwarding;
    if (marked && !others_stay && lan->ipv4.forwarding && !host.all.forwarding &&
        std::ranges::none_of(plan.changes, [&](const Change& change) {
          const auto* set = std::get_if<SetForwarding>(&change);
          return set != nullptr && set->device.ifindex == lan->ifindex;
        }))
      plan.changes.push_back(SetForwarding{device_of(*lan), false});
    plan.changes.push_back(Withdraw{device_of(*lan), entry.address, marked});
  }
}

Result<Plan> plan_delete(const DeleteAddress& request, const HostState& host) {
  const Link* link = host.link(request.device.str());
  const Route* route = host.guest_route(request.address);
  if (link == nullptr || route == nullptr || route->ifindex != link->ifindex)
    return fail(Code::not_found, request.address.str() + " is not routed to " + request.device.str() + " by uml_net",
                "There is nothing to take back.");
  const Device device = device_of(*link);
  Plan plan;

  std::vector<ProxyEntry> entries;
  for (const auto& entry : host.proxy_entries)
    if (is_ours(entry) && entry.address == request.address) entries.push_back(entry);
  withdraw(host, entries, plan);

  // What the device's other addresses still need stays on, and so does what every new device of this host starts with.
  bool others = false, others_published = false;
  for (const auto& other : host.routes) {
    if (!is_ours(other) || other.ifindex != link->ifindex || other.destination == request.address) continue;
    others = true;
    others_published |= is_published(host, other.destination);
  }
  if (link->ipv4.forwarding && !others_published && !host.default_device.forwarding && !host.all.forwarding)
    plan.changes.push_back(SetForwarding{device, false});
  if (link->ipv4.proxy_arp && !others && !host.default_device.proxy_arp)
    plan.changes.push_back(SetProxyArp{device, false});
  plan.changes.push_back(DeleteRoute{device, request.address});
  return plan;
}

// The guest's route goes with its device, and then the entry is stale.
bool goes_to_abandoned(const HostState& host, Ipv4 address) {
  const Route* route = host.guest_route(address);
  const Link* device = route != nullptr ? host.link(route->ifindex) : nullptr;
  return device != nullptr && policy::is_abandoned(*device);
}

Result<Plan> plan_garbage(const HostState& host) {
  Plan plan;
  plan.all_or_nothing = false;
  std::vector<ProxyEntry> stale;
  for (const auto& entry : host.proxy_entries)
    if (policy::is_stale(host, entry) || (is_ours(entry) && goes_to_abandoned(host, entry.address)))
      stale.push_back(entry);
  withdraw(host, stale, plan);
  for (const auto& link : host.links)
    if (policy::is_abandoned(link)) plan.changes.push_back(DeleteTapDevice{device_of(link)});
  return plan;
}

}  // namespace

Result<Plan> make_plan(const Grant& grant, const RequestId& id, const HostState& host) {
  struct Visitor {
    const Grant& grant;
    const RequestId& id;
    const HostState& host;
    Result<Plan> operator()(const MakeTap& request) const { return plan_tap({}, request.gateway, grant, id, false); }
    Result<Plan> operator()(const OpenEthertap& request) const {
      return plan_tap(request.device, request.gateway, grant, id, true);
    }
    Result<Plan> operator()(const MakeBridgedTap& request) const { return plan_bridged_tap(request, grant, id, host); }
    Result<Plan> operator()(const AddAddress& request) const { return plan_add(request, grant, host); }
    Result<Plan> operator()(const DeleteAddress& request) const { return plan_delete(request, host); }
    Result<Plan> operator()(const OpenInterface&) const { return fail(Code::usage, "open is not served yet"); }
    Result<Plan> operator()(const RemoveInterface&) const { return fail(Code::usage, "remove is not served yet"); }
    Result<Plan> operator()(const OpenSession&) const { return fail(Code::usage, "session is not served yet"); }
    Result<Plan> operator()(const CollectGarbage&) const { return plan_garbage(host); }
  };
  return std::visit(Visitor{grant, id, host}, grant.request());
}

bool adds_to_holdings(const Plan& plan) {
  return std::ranges::any_of(plan.changes, [](const Change& change) {
    return std::holds_alternative<MakeTapDevice>(change) || std::holds_alternative<AddRoute>(change);
  });
}

}  // namespace umlnet::priv
