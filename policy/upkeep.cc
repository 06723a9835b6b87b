#include "policy/upkeep.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "policy/quota_usage.h"

namespace umlnet::policy {
namespace {

using rtnetlink::Link;

constexpr unsigned kMinPublished = 27;  // of the prefix of a network that is published address by address

constexpr unsigned kMinIpv6Mtu = 1280;  // RFC 8200

bool has_marks(const Link& link) { return std::ranges::any_of(link.alternative_names, is_mark); }

// The marks of a device that is there for somebody; none of others.
DeviceMarks marks_of_guests(const Link& link) {
  if (!has_marks(link) || !made_for(link) || is_abandoned(link)) return {};
  return marks_of(link.ifindex, link.alternative_names);
}

// Whether `matches`, which takes the device and the mark, holds for a guest's mark.
bool any_mark(const HostState& host, const auto& matches) {
  return std::ranges::any_of(host.links, [&](const Link& link) {
    return std::ranges::any_of(marks_of_guests(link).guests,
                               [&](const GuestMark& mark) { return matches(link, mark); });
  });
}

// By network, for hosts with thousands of guests.
using Key = std::pair<IpAddress, unsigned>;
Key key_of(const IpRange& range) { return {range.first(), range.length()}; }

std::map<Key, int> guest_routes(const HostState& host) {
  std::map<Key, int> routes;
  for (const auto& route : host.routes)
    if (route.protocol == rtnetlink::kProtocol) routes[{route.destination, route.mask.length()}] = route.ifindex;
  for (const auto& route : host.ipv6_routes)
    if (route.protocol == rtnetlink::kProtocol) routes[{route.destination, route.prefix_length}] = route.ifindex;
  return routes;
}

class Inspection {
 public:
  explicit Inspection(const HostState& host) : host_(host), routes_(guest_routes(host)) {
    for (const auto& entry : host.proxy_entries) entries_.insert({entry.ifindex, entry.address});
    for (const auto& entry : host.ipv6_proxy_entries) entries_.insert({entry.ifindex, entry.address});
  }

  Upkeep inspect() {
    for (const auto& link : host_.links) {
      const auto marks = marks_of_guests(link);
      for (const auto& mark : marks.guests) look_at(link, mark);
      for (const auto& address : marks.host_addresses)
        if (link.up && takes_ipv6(link) && !has_address(link.ifindex, address))
          upkeep_.host_addresses.push_back({link.ifindex, address});
    }
    // Of devices that an older uml_net made, which have no marks.
    for (const auto& entry : host_.proxy_entries)
      if (rtnetlink::is_our_protocol(entry.protocol) && !is_stale(host_, entry)) needed_.insert(entry.ifindex);
    for (const auto& link : host_.links) {
      if (needed_.contains(link.ifindex) && !link.ipv4.forwarding) upkeep_.forwarding.push_back(link.ifindex);
      if (has_marks(link) && !made_for(link) && marks_of(link.ifindex, link.alternative_names).forwarding &&
          !needed_.contains(link.ifindex) && !named_.contains(link.name))
        upkeep_.forwarding_in_vain.push_back(link.ifindex);
    }
    return std::move(upkeep_);
  }

 private:
  bool has_address(int ifindex, const IpInterface& address) const {
    return std::ranges::any_of(host_.ipv6_addresses, [&](const auto& own) {
      return own.ifindex == ifindex && IpAddress(own.address) == address.address;
    });
  }

  bool has_address_of(bool ipv4, int ifindex) const {
    const auto is_there = [&](const auto& own) { return own.ifindex == ifindex; };
    return ipv4 ? std::ranges::any_of(host_.addresses, is_there) : std::ranges::any_of(host_.ipv6_addresses, is_there);
  }

  void look_at(const Link& link, const GuestMark& mark) {
    const auto route = routes_.find(key_of(mark.guest));
    if (route != routes_.end() && route->second != link.ifindex) return;
    if (route == routes_.end() && is_routed_by_others(mark.guest)) return;
    if (!mark.guest.is_ipv4() && !takes_ipv6(link)) return;
    if (route == routes_.end() && link.up) upkeep_.routes.push_back({link.ifindex, mark.guest, mark.via});
    for (const auto& name : mark.published_on)
      if (const Link* lan = lan_named(name, mark.guest))
        for (const auto& address : published_addresses(mark.guest))
          if (!entries_.contains({lan->ifindex, address})) upkeep_.publications.push_back({lan->ifindex, address});
    if (!mark.guest.is_ipv4()) return;
    for (const auto* lans : {&mark.published_on, &mark.forwarded_from})
      for (const auto& name : *lans) {
        named_.insert(name);
        const Link* lan = lan_named(name, mark.guest);
        if (lan == nullptr) continue;
        needed_.insert(lan->ifindex);
        needed_.insert(link.ifindex);
      }
  }

  // An administrator's own route to just that.
  bool is_routed_by_others(const IpRange& guest) const {
    const auto is_it = [&](const auto& route) {
      return route.table == rtnetlink::kMainTable && route.protocol != rtnetlink::kProtocol &&
             network_of(route) == guest;
    };
    return std::ranges::any_of(host_.routes, is_it) || std::ranges::any_of(host_.ipv6_routes, is_it);
  }

  static bool takes_ipv6(const Link& link) { return link.mtu >= kMinIpv6Mtu && !link.ipv6.disabled; }

  // Nullptr where it is not there, or cannot have what the guest needs.
  const Link* lan_named(const std::string& name, const IpRange& guest) const {
    const auto* lan = host_.link(name);
    return lan != nullptr && lan->up && !made_for(*lan) && has_address_of(guest.is_ipv4(), lan->ifindex) ? lan
                                                                                                         : nullptr;
  }

  const HostState& host_;
  std::map<Key, int> routes_;
  std::set<std::pair<int, IpAddress>> entries_;
  std::set<int> needed_;         // devices that must forward
  std::set<std::string> named_;  // LANs of which a mark speaks, whatever they can have now
  Upkeep upkeep_;
};

}  // namespace

bool Upkeep::empty() const {
  return routes.empty() && host_addresses.empty() && publications.empty() && forwarding.empty() &&
         forwarding_in_vain.empty();
}

Upkeep upkeep_of(const HostState& host) { return Inspection(host).inspect(); }

std::vector<IpAddress> published_addresses(const IpRange& guest) {
  const auto bounds = guest.ipv4_bounds();
  if (!bounds) return guest.is_one_address() ? std::vector{guest.first()} : std::vector<IpAddress>();
  std::vector<IpAddress> addresses;
  if (guest.length() >= kMinPublished)
    for (auto value = bounds->first.value(); value != bounds->second.value() + 1; ++value)
      addresses.emplace_back(Ipv4(value));
  return addresses;
}

bool is_forwarding_needed(const HostState& host, const Link& lan, int besides, const std::vector<IpRange>& without) {
  const auto is_without = [&](const IpAddress& address) {
    return std::ranges::any_of(without, [&](const IpRange& range) { return range.contains(address); });
  };
  const auto has = [&](const auto& lans) { return std::ranges::find(lans, lan.name) != lans.end(); };
  const auto needs = [&](const Link& device, const GuestMark& mark) {
    return device.ifindex != besides && mark.guest.is_ipv4() && !is_without(mark.guest.first()) &&
           (has(mark.published_on) || has(mark.forwarded_from));
  };
  return any_mark(host, needs) || std::ranges::any_of(host.proxy_entries, [&](const auto& entry) {
           return entry.ifindex == lan.ifindex && rtnetlink::is_our_protocol(entry.protocol) &&
                  !is_without(entry.address);
         });
}

bool is_marked(const HostState& host, const IpAddress& address) {
  return any_mark(host, [&](const Link&, const GuestMark& mark) { return mark.guest.contains(address); });
}

bool is_marked_elsewhere(const HostState& host, const IpRange& range, int ifindex) {
  return any_mark(host, [&](const Link& device, const GuestMark& mark) {
    return device.ifindex != ifindex && mark.guest.overlaps(range);
  });
}

bool is_marked_for_another(const HostState& host, const IpRange& range, uid_t uid) {
  return any_mark(host, [&](const Link& device, const GuestMark& mark) {
    return mark.guest.overlaps(range) && host.is_of_another(device.ifindex, uid);
  });
}

unsigned unrouted_guests(const HostState& host, const Link& device) {
  if (!has_marks(device)) return 0;
  const auto routes = guest_routes(host);
  unsigned count = 0;
  for (const auto& mark : marks_of_guests(device).guests)
    if (!routes.contains(key_of(mark.guest))) count += address_count(mark.guest);
  return count;
}

}  // namespace umlnet::policy
