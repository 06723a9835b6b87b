#include "uml_net/priv/plan.h"

#include <algorithm>
#include <charconv>
#include <ranges>

#include "libumlnet/core/boot_time.h"
#include "libumlnet/core/device_marks.h"
#include "libumlnet/core/device_tag.h"
#include "libumlnet/core/native5_words.h"
#include "policy/guest_sources.h"
#include "policy/lans.h"
#include "policy/upkeep.h"

namespace umlnet::priv {

// The one maker of plans.
class Planner {
 public:
  using Steps = Plan::Steps;
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

using Steps = Planner::Steps;

Device device_of(const Link& link) { return {link.ifindex, link.name}; }

bool is_ours(const ProxyEntry& entry) { return rtnetlink::is_our_protocol(entry.protocol); }
bool is_ours(const Route& route) { return route.protocol == rtnetlink::kProtocol; }

const ProxyEntry* entry_for(const HostState& host, Ipv4 address, int ifindex) {
  const auto it = std::ranges::find_if(host.proxy_entries, [&](const ProxyEntry& entry) {
    return entry.ifindex == ifindex && entry.address == address;
  });
  return it != host.proxy_entries.end() ? &*it : nullptr;
}

bool is_published(const HostState& host, const Route& route) {
  const auto network = policy::network_of(route);
  return std::ranges::any_of(
      host.proxy_entries, [&](const ProxyEntry& entry) { return is_ours(entry) && network.contains(entry.address); });
}

bool has_forwarding_mark(const Link& lan) { return marks_of(lan.ifindex, lan.alternative_names).forwarding; }

// Forwarding on a LAN device is the toolkit's if it is off now, or was off before the toolkit came.
bool forwarding_is_ours(const HostState& host, const Link& lan) {
  return !lan.ipv4.forwarding || has_forwarding_mark(lan) ||
         std::ranges::any_of(host.proxy_entries, [&](const ProxyEntry& entry) {
           return entry.ifindex == lan.ifindex && entry.protocol == rtnetlink::kProtocolForwarding;
         });
}

Result<Steps> plan_tap(const std::optional<IfName>& name, const std::optional<Ipv4>& gateway, const Grant& grant,
                       const RequestId& id) {
  std::string words(request_name(grant.request()));
  if (gateway) words += " gateway=" + gateway->str();
  Steps plan;
  plan.changes.push_back(MakeTapDevice{
      .owner = {.id = grant.uid()}, .tag = DeviceTag{grant.uid(), id, std::nullopt, words}, .name = name});
  if (gateway) plan.changes.push_back(PutHostAddress{Device{}, IpInterface{*gateway, 32}});
  plan.changes.push_back(BringUp{Device{}});
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
  plan.changes.push_back(RaiseMac{Device{}});
  plan.changes.push_back(PutOnBridge{Device{}, device_of(*bridge)});
  plan.changes.push_back(BringUp{Device{}});
  return plan;
}

// Turns forwarding of the LAN devices on, and marks it as the toolkit's. Each is off.
void start_forwarding(const std::vector<const Link*>& lans, Steps& plan) {
  for (const Link* lan : lans) {
    if (!has_forwarding_mark(*lan))
      plan.changes.push_back(SetMark{device_of(*lan), name_of_forwarding(lan->ifindex), true});
    plan.changes.push_back(SetForwarding{device_of(*lan), true});
  }
}

// Turns a LAN device's forwarding off if it is the toolkit's, and no guest needs it but those of the device `besides`
// and of the networks `without`.
void stop_forwarding(const HostState& host, const Link& lan, int besides, const std::vector<IpRange>& without,
                     Steps& plan) {
  const bool is_marked = has_forwarding_mark(lan);
  const bool is_planned = std::ranges::any_of(plan.changes, [&](const Change& change) {
    const auto* set = std::get_if<SetForwarding>(&change);
    const auto* mark = std::get_if<SetMark>(&change);
    return (set != nullptr && set->device.ifindex == lan.ifindex) ||
           (mark != nullptr && mark->device.ifindex == lan.ifindex);
  });
  if (is_planned || !forwarding_is_ours(host, lan) || policy::is_forwarding_needed(host, lan, besides, without)) return;
  // Turned on for all devices meanwhile, it is the administrator's.
  if (lan.ipv4.forwarding && !host.all.forwarding) plan.changes.push_back(SetForwarding{device_of(lan), false});
  if (is_marked) plan.changes.push_back(SetMark{device_of(lan), name_of_forwarding(lan.ifindex), false});
}

// Of a device: every request reads them all.
constexpr std::size_t kMostMarks = 128;

// Guests on their way out: the proxy entries on LANs, the forwarding that they need, and the marks that tell of both.
class Publication {
 public:
  Publication(const Grant& grant, const HostState& host, Steps& plan) : grant_(grant), host_(host), plan_(plan) {}

  // The kernel has no proxy for a network: a small one is published address by address. `via` is for the mark.
  void on(const std::vector<const Link*>& lans, const IpRange& guest, const std::optional<IpAddress>& via = {}) {
    GuestMark mark{guest, {}, {}, via};
    if (lans.empty()) unseen_ += (unseen_.empty() ? "" : ", ") + guest.compact();
    is_seen_ |= !lans.empty();
    for (const Link* lan : lans)
      if (publish(*lan, guest)) mark.published_on.push_back(lan->name);
    if (guest.is_ipv4())
      for (const auto& link : host_.links)
        if (lets_out(link) && std::ranges::find(mark.published_on, link.name) == mark.published_on.end()) {
          mark.forwarded_from.push_back(link.name);
          need_forwarding(link);
        }
    marks_.push_back(std::move(mark));
  }

  // Behind everything else: traffic flows from here on. `device` is the guest's, with `forwarding` as it is, and with
  // `names`, its alternative names. A mark comes after what it tells of: who finds the mark alone would do it, too.
  void finish(const Device& device, bool forwarding, const std::vector<std::string>& names) {
    auto number = static_cast<std::size_t>(std::ranges::count_if(names, is_mark));
    for (const auto& mark : marks_) {
      const auto wanted = names_of(mark);
      const auto is_in = [](const auto& all, const std::string& name) {
        return std::ranges::find(all, name) != all.end();
      };
      for (const auto& name : names)
        if (guest_of_mark(name) == mark.guest && !is_in(wanted, name))
          plan_.changes.push_back(SetMark{device, name, false});
      number += wanted.size();
      if (number > kMostMarks) {
        plan_.notes.push_back(
            mark.guest.compact() +
            " is not restored after events of the network: its device has as many marks as it can have");
        continue;
      }
      for (const auto& name : wanted)
        if (!is_in(names, name)) plan_.changes.push_back(SetMark{device, name, true});
    }
    if (is_let_out_ && !forwarding) plan_.changes.push_back(SetForwarding{device, true});
    start_forwarding(to_forward_, plan_);
    if (const auto listed = grant_.lan_list(); !is_seen_ && !listed.empty())
      plan_.notes.push_back(unseen_ + " published on no LAN: in the main routing table no device that rule " +
                            grant_.rule() + " lists (" + listed + ") has a route to that network");
  }

 private:
  // Whether the rule lists the device, and guests could go out there.
  bool lets_out(const Link& link) const {
    return !grant_.lan_list().empty() && grant_.may_publish_on(link) && link.up && !link.loopback && link.master == 0 &&
           !policy::made_for(link) &&
           std::ranges::any_of(host_.addresses, [&](const auto& own) { return own.ifindex == link.ifindex; });
  }

  void need_forwarding(const Link& lan) {
    is_let_out_ = true;
    if (!lan.ipv4.forwarding && std::ranges::find(to_forward_, &lan) == to_forward_.end()) to_forward_.push_back(&lan);
  }

  // Whether at least one address of the guest is published there then.
  bool publish(const Link& lan, const IpRange& guest) {
    const auto not_published = [&](const std::string& why) {
      plan_.notes.push_back(guest.compact() + " not published on " + lan.name + ": " + why);
      return false;
    };
    if (!grant_.may_publish_on(lan)) return not_published("rule " + grant_.rule() + " does not list it under \"lan\"");
    const auto addresses = policy::published_addresses(guest);
    if (addresses.empty())
      return not_published("it is more than 32 IPv4 addresses; let the router of that LAN route it to this host");
    bool published = false;
    for (const auto& address : addresses) {
      const auto* v4 = std::get_if<Ipv4>(&address);
      published |= v4 != nullptr ? publish(lan, *v4) : publish(lan, std::get<Ipv6>(address));
    }
    return published;
  }

  bool left_alone(const Link& lan, const IpAddress& address) {
    plan_.notes.push_back(to_string(address) + " published on " + lan.name + " by somebody else already, and left so");
    return false;
  }

  bool publish(const Link& lan, Ipv4 address) {
    const ProxyEntry* entry = entry_for(host_, address, lan.ifindex);
    if (entry != nullptr && !is_ours(*entry)) return left_alone(lan, address);
    if (entry == nullptr) plan_.changes.push_back(Publish{device_of(lan), address, forwarding_is_ours(host_, lan)});
    need_forwarding(lan);
    return true;
  }

  // The kernel lets nobody turn these two on by rtnetlink.
  bool publish(const Link& lan, const Ipv6& address) {
    const auto entry = std::ranges::find_if(host_.ipv6_proxy_entries, [&](const rtnetlink::Ipv6ProxyEntry& other) {
      return other.ifindex == lan.ifindex && other.address == address;
    });
    const bool is_there = entry != host_.ipv6_proxy_entries.end();
    if (is_there && !rtnetlink::is_our_protocol(entry->protocol)) return left_alone(lan, address);
    if (!is_there) plan_.changes.push_back(Publish{device_of(lan), address, false});
    std::string off;
    if (!lan.ipv6.proxy_ndp && !host_.ipv6_all.proxy_ndp) off = "net.ipv6.conf." + lan.name + ".proxy_ndp=1";
    if (!host_.ipv6_all.forwarding) off += (off.empty() ? "" : " ") + std::string("net.ipv6.conf.all.forwarding=1");
    if (!off.empty())
      plan_.notes.push_back(address.str() + " is not reached from " + lan.name +
                            " until the administrator turns that on: sysctl -w " + off);
    return true;
  }

  const Grant& grant_;
  const HostState& host_;
  Steps& plan_;
  bool is_let_out_ = false;  // an IPv4 guest is published, or goes out where the rule lets it
  bool is_seen_ = false;     // an address has a LAN, listed or not
  std::string unseen_;       // those that have none
  std::vector<GuestMark> marks_;
  std::vector<const Link*> to_forward_;
};

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
    plan.changes.push_back(RaiseMac{device});
  if (bridge != nullptr) plan.changes.push_back(PutOnBridge{device, device_of(*bridge)});
  if (request.isolated) plan.changes.push_back(IsolatePort{device});
  for (const auto& address : request.addresses) plan.changes.push_back(PutHostAddress{device, address});
  plan.changes.push_back(BringUp{device});
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
    plan.changes.push_back(Withdraw{device_of(*lan), entry.address, entry.protocol == rtnetlink::kProtocolForwarding});
  }
}

void withdraw(const HostState& host, const std::vector<rtnetlink::Ipv6ProxyEntry>& entries, Steps& plan) {
  for (const auto& entry : entries)
    if (const Link* lan = host.link(entry.ifindex); lan != nullptr)
      plan.changes.push_back(Withdraw{device_of(*lan), entry.address, false});
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
    plan.changes.push_back(Publish{device(entry.lan), entry.address, forwarding_is_ours(host, *host.link(entry.lan))});
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
  const IfName* name = nullptr;
  if (const auto* remove = std::get_if<RemoveInterface>(&request)) name = &remove->device;
  if (const auto* add = std::get_if<AddAddress>(&request)) name = &add->device;
  if (const auto* del = std::get_if<DeleteAddress>(&request)) name = &del->device;
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
