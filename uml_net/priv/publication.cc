#include "uml_net/priv/publication.h"

#include <algorithm>

#include "policy/upkeep.h"

namespace umlnet::priv {

using policy::HostState;
using rtnetlink::Link;
using rtnetlink::ProxyEntry;

namespace {

// Of a device: every request reads them all.
constexpr std::size_t kMostMarks = 128;

const ProxyEntry* entry_for(const HostState& host, Ipv4 address, int ifindex) {
  const auto it = std::ranges::find_if(host.proxy_entries, [&](const ProxyEntry& entry) {
    return entry.ifindex == ifindex && entry.address == address;
  });
  return it != host.proxy_entries.end() ? &*it : nullptr;
}

bool has_forwarding_mark(const Link& lan) { return marks_of(lan.ifindex, lan.alternative_names).forwarding; }

}  // namespace

Device device_of(const Link& link) { return {link.ifindex, link.name}; }

bool forwarding_is_ours(const HostState& host, const Link& lan) {
  return !lan.ipv4.forwarding || has_forwarding_mark(lan) ||
         std::ranges::any_of(host.proxy_entries, [&](const ProxyEntry& entry) {
           return entry.ifindex == lan.ifindex && entry.protocol == rtnetlink::kProtocolForwarding;
         });
}

void start_forwarding(const std::vector<const Link*>& lans, Steps& plan) {
  for (const Link* lan : lans) {
    if (!has_forwarding_mark(*lan))
      plan.changes.push_back(SetMark{device_of(*lan), name_of_forwarding(lan->ifindex), true});
    plan.changes.push_back(SetForwarding{device_of(*lan), true});
  }
}

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

void Publication::on(const std::vector<const Link*>& lans, const IpRange& guest, const std::optional<IpAddress>& via) {
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

void Publication::finish(const Device& device, bool forwarding, const std::vector<std::string>& names) {
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

// Whether the rule lists the device, and guests could go out there.
bool Publication::lets_out(const Link& link) const {
  return !grant_.lan_list().empty() && grant_.may_publish_on(link) && link.up && !link.loopback && link.master == 0 &&
         !policy::made_for(link) &&
         std::ranges::any_of(host_.addresses, [&](const auto& own) { return own.ifindex == link.ifindex; });
}

void Publication::need_forwarding(const Link& lan) {
  is_let_out_ = true;
  if (!lan.ipv4.forwarding && std::ranges::find(to_forward_, &lan) == to_forward_.end()) to_forward_.push_back(&lan);
}

// Whether at least one address of the guest is published there then.
bool Publication::publish(const Link& lan, const IpRange& guest) {
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

bool Publication::leave_alone(const Link& lan, const IpAddress& address) {
  plan_.notes.push_back(to_string(address) + " published on " + lan.name + " by somebody else already, and left so");
  return false;
}

bool Publication::publish(const Link& lan, Ipv4 address) {
  const ProxyEntry* entry = entry_for(host_, address, lan.ifindex);
  if (entry != nullptr && !rtnetlink::is_our_protocol(entry->protocol)) return leave_alone(lan, address);
  if (entry == nullptr) plan_.changes.push_back(AddProxyNeigh{device_of(lan), address, forwarding_is_ours(host_, lan)});
  need_forwarding(lan);
  return true;
}

// The kernel lets nobody turn these two on by rtnetlink.
bool Publication::publish(const Link& lan, const Ipv6& address) {
  const auto entry = std::ranges::find_if(host_.ipv6_proxy_entries, [&](const rtnetlink::Ipv6ProxyEntry& other) {
    return other.ifindex == lan.ifindex && other.address == address;
  });
  const bool is_there = entry != host_.ipv6_proxy_entries.end();
  if (is_there && !rtnetlink::is_our_protocol(entry->protocol)) return leave_alone(lan, address);
  if (!is_there) plan_.changes.push_back(AddProxyNeigh{device_of(lan), address, false});
  std::string off;
  if (!lan.ipv6.proxy_ndp && !host_.ipv6_all.proxy_ndp) off = "net.ipv6.conf." + lan.name + ".proxy_ndp=1";
  if (!host_.ipv6_all.forwarding) off += (off.empty() ? "" : " ") + std::string("net.ipv6.conf.all.forwarding=1");
  if (!off.empty())
    plan_.notes.push_back(address.str() + " is not reached from " + lan.name +
                          " until the administrator turns that on: sysctl -w " + off);
  return true;
}

}  // namespace umlnet::priv
