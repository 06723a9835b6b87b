#include "libumlnet/cli/policy_review.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

using policy::DevicePattern;
using policy::Effect;
using policy::Everybody;
using policy::HostState;
using policy::Policy;
using policy::Principal;
using policy::Rule;

// Those that rules can name (libumlnet/core/request.h).
constexpr std::array kOperations = {Operation::tuntap, Operation::ethertap, Operation::address, Operation::bridge,
                                    Operation::open};

std::string named(Operation operation) { return std::string(operation_name(operation)); }

bool is_everybody(const std::vector<Principal>& principals) {
  return std::ranges::any_of(principals,
                             [](const Principal& one) { return std::holds_alternative<Everybody>(one.written); });
}

bool stands_for_somebody(const Principal& one) {
  return one.id.has_value() || std::holds_alternative<Everybody>(one.written);
}

// Whether each of `part` that stands for somebody is in `whole`.
bool holds_all(const std::vector<Principal>& whole, const std::vector<Principal>& part) {
  return std::ranges::all_of(part, [&](const Principal& one) {
    if (!stands_for_somebody(one)) return true;
    return one.id && std::ranges::any_of(whole, [&](const Principal& other) { return other.id == one.id; });
  });
}

// Whether `wide` speaks of every caller of whom `narrow` speaks, as far as the text of both tells.
bool speaks_of_all(const Rule& wide, const Rule& narrow) {
  if (is_everybody(wide.users)) return true;
  if (is_everybody(narrow.users)) return false;
  return holds_all(wide.users, narrow.users) && holds_all(wide.groups, narrow.groups);
}

bool covers(const DevicePattern& whole, const DevicePattern& part) {
  if (whole.str() == part.str()) return true;
  const auto star = whole.str().find_first_of("*?[");
  const bool is_prefix = star != std::string::npos && star + 1 == whole.str().size() && whole.str()[star] == '*';
  return is_prefix && part.str().starts_with(whole.str().substr(0, star));
}

bool covers(const IfName& whole, const IfName& part) { return whole == part; }

bool covers(const IpRange& whole, const IpRange& part) { return whole.covers(part); }

// Whether each item of `part` lies in one of `whole`. A list left out is an empty one here.
template <class Item>
bool covers_all(const std::optional<std::vector<Item>>& whole, const std::optional<std::vector<Item>>& part) {
  if (!part) return true;
  return std::ranges::all_of(*part, [&](const Item& one) {
    return whole && std::ranges::any_of(*whole, [&](const Item& other) { return covers(other, one); });
  });
}

bool has_ipv4(const std::vector<IpRange>& ranges) {
  return std::ranges::any_of(ranges, [](const IpRange& range) { return range.ipv4_bounds().has_value(); });
}

bool has_name(const std::vector<DevicePattern>& patterns) {
  return std::ranges::any_of(patterns, [](const DevicePattern& pattern) { return pattern.example().has_value(); });
}

bool makes_device(Operation operation) { return operation != Operation::address; }

// Why an allow rule grants no request for `operation`, whatever the other rules are.
std::optional<std::string> why_inert(const Rule& rule, Operation operation) {
  if (operation == Operation::ethertap && !(rule.devices && has_name(*rule.devices)))
    return "such a request names its device, and the rule lists no devices that it could name";
  if (operation == Operation::bridge && (!rule.bridges || rule.bridges->empty()))
    return "such a request names a bridge, and the rule lists none under \"bridges\"";
  if (operation == Operation::address && !(rule.guests && has_ipv4(*rule.guests)))
    return "the rule lists no IPv4 addresses under \"guests\"";
  const bool is_open = operation == Operation::open;
  if (operation == Operation::bridge && rule.isolated)
    return "it wants isolated ports only, and such a request makes none";
  if ((operation == Operation::bridge || operation == Operation::tuntap) && rule.sealed)
    return "it wants sealed interfaces only, and such a request makes none";
  if (makes_device(operation) && !is_open && rule.anti_spoof)
    return "it wants interfaces with an anti-spoofing filter only, and such a request makes none";
  if (is_open && rule.anti_spoof && (!rule.guests || rule.guests->empty()))
    return "it wants an anti-spoofing filter, which is made of guest addresses, and lists none under \"guests\"";
  if (makes_device(operation) && rule.max_devices == 0) return "max_devices is 0";
  if (operation == Operation::address && rule.max_addresses == 0) return "max_addresses is 0";
  return std::nullopt;
}

// Whether `rule` wants nothing of a device that `other` does not want.
bool wants_no_more(const Rule& rule, const Rule& other) {
  return rule.isolated <= other.isolated && rule.sealed <= other.sealed && rule.anti_spoof <= other.anti_spoof;
}

// Whether `rule` lets `open` ask for all that `other` lets it ask for, beyond names and addresses.
bool lets_ask_as_much(const Rule& rule, const Rule& other) {
  return rule.max_mtu >= other.max_mtu && rule.max_queues >= other.max_queues && rule.host_mac >= other.host_mac &&
         rule.vnet_hdr >= other.vnet_hdr && rule.namespaces >= other.namespaces && rule.persistent >= other.persistent;
}

// Whether an allow rule that stands earlier grants all that `later` grants of `operation`, to the same callers, and as
// much of it.
bool hides(const Rule& earlier, const Rule& later, Operation operation) {
  if (earlier.effect != Effect::allow || !earlier.operations || !earlier.operations->contains(operation)) return false;
  if (!speaks_of_all(earlier, later) || !wants_no_more(earlier, later)) return false;
  if (operation == Operation::address)
    return covers_all(earlier.guests, later.guests) && earlier.max_addresses >= later.max_addresses;
  if (operation == Operation::bridge)
    return covers_all(earlier.bridges, later.bridges) && earlier.max_devices >= later.max_devices;
  if (operation == Operation::open &&
      !(lets_ask_as_much(earlier, later) && covers_all(earlier.guests, later.guests) &&
        covers_all(earlier.bridges, later.bridges) && earlier.max_addresses >= later.max_addresses))
    return false;
  const bool devices = operation == Operation::tuntap || covers_all(earlier.devices, later.devices);
  return devices && covers_all(earlier.gateways, later.gateways) && earlier.max_devices >= later.max_devices;
}

// Whether a deny rule matches all that `rule` grants of `operation`.
bool denies_all(const Rule& deny, const Rule& rule, Operation operation) {
  if (deny.effect != Effect::deny || !speaks_of_all(deny, rule) || deny.lan) return false;
  if (deny.operations && !deny.operations->contains(operation)) return false;
  // A request that names nothing of the kind passes.
  if (operation == Operation::open) return !deny.bridges && !deny.guests && !deny.gateways && !deny.devices;
  if (deny.bridges && (operation != Operation::bridge || !covers_all(deny.bridges, rule.bridges))) return false;
  if (operation == Operation::address)
    return !deny.gateways && !deny.devices && (!deny.guests || covers_all(deny.guests, rule.guests));
  if (deny.guests || deny.gateways) return false;  // a request without a gateway passes
  if (!deny.devices) return true;
  return operation == Operation::ethertap && covers_all(deny.devices, rule.devices);
}

// Whether a deny rule matches any request for `operation`.
bool can_match(const Rule& rule, Operation operation) {
  if (rule.operations && !rule.operations->contains(operation)) return false;
  if (operation == Operation::open) {
    const auto is_empty = [](const auto& list) { return list && list->empty(); };
    if (is_empty(rule.bridges) || is_empty(rule.guests) || is_empty(rule.gateways) || is_empty(rule.lan)) return false;
    if (rule.devices && !has_name(*rule.devices)) return false;
    return !rule.bridges || (!rule.gateways && !rule.lan);  // a port of a bridge has neither an address nor a LAN
  }
  if (rule.bridges && (operation != Operation::bridge || rule.bridges->empty())) return false;
  const bool kernel_names = operation == Operation::tuntap || operation == Operation::bridge;
  if (rule.devices && (!has_name(*rule.devices) || kernel_names)) return false;
  if (operation == Operation::bridge) return !rule.guests && !rule.lan && !rule.gateways;
  if (operation == Operation::address)
    return !rule.gateways && (!rule.guests || has_ipv4(*rule.guests)) && (!rule.lan || !rule.lan->empty());
  return !rule.guests && !rule.lan && (!rule.gateways || has_ipv4(*rule.gateways));
}

class Review {
 public:
  Review(const Policy& policy, const Memberships& memberships, const HostState* host)
      : policy_(policy), memberships_(memberships), host_(host) {}

  std::vector<PolicyWarning> all() {
    for (std::size_t i = 0; i < policy_.rules.size(); ++i) {
      const Rule& rule = policy_.rules[i];
      look_at_callers(rule);
      look_at_patterns(rule);
      look_at_reach(rule, i);
      if (rule.effect == Effect::deny) continue;
      look_at_options(rule);
      look_at_ranges(rule, "gateways", rule.gateways);
      look_at_ranges(rule, "guests", rule.guests);
      if (host_ != nullptr) look_at_host(rule);
    }
    return std::move(warnings_);
  }

 private:
  void warn(const char* kind, const Rule& rule, std::string key, std::string item, std::string text) {
    warnings_.push_back({kind, rule.name, std::move(key), std::move(item), std::move(text)});
  }

  void look_at_callers(const Rule& rule) {
    const auto look = [&](const std::vector<Principal>& principals, const char* key, const char* file) {
      for (const auto& one : principals)
        if (const auto* name = std::get_if<std::string>(&one.written); name != nullptr && !one.id)
          warn("nobody", rule, key, *name, in_quotes(*name) + " is not in " + file + ", so it stands for nobody");
    };
    look(rule.users, "users", "/etc/passwd");
    look(rule.groups, "groups", "/etc/group");
    for (const auto& group : rule.groups)
      if (const auto* name = std::get_if<std::string>(&group.written);
          name != nullptr && group.id && !memberships_.has_members(static_cast<gid_t>(*group.id)))
        warn("nobody", rule, "groups", *name,
             "the group " + in_quotes(*name) +
                 " has no members in /etc/group and is no user's own; to add one: usermod -aG " + *name + " USER");
  }

  void look_at_patterns(const Rule& rule) {
    for (const auto& pattern : rule.devices.value_or(std::vector<DevicePattern>{}))
      if (!pattern.example())
        warn("no-such-name", rule, "devices", pattern.str(),
             in_quotes(pattern.str()) + " matches no name that a device can have");
  }

  // What stands in the way of a rule: itself, or others.
  void look_at_reach(const Rule& rule, std::size_t index) {
    const bool speaks =
        std::ranges::any_of(rule.users, stands_for_somebody) || std::ranges::any_of(rule.groups, stands_for_somebody);
    if (!speaks) return warn("never-decides", rule, {}, {}, "it speaks of nobody, so it can never decide");
    if (rule.effect == Effect::deny) return look_at_deny(rule);
    if (!rule.operations || rule.operations->empty())
      return warn("never-decides", rule, rule.operations ? "operations" : "", {},
                  "it lists no operations, so it grants nothing");

    std::vector<std::pair<Operation, std::string>> dead;
    for (const auto operation : *rule.operations)
      if (auto why = why_never(rule, index, operation)) dead.emplace_back(operation, *std::move(why));
    const bool all_dead = dead.size() == rule.operations->size();
    if (all_dead && std::ranges::all_of(dead, [&](const auto& one) { return one.second == dead.front().second; }))
      return warn("never-decides", rule, {}, {}, "it can never decide: " + dead.front().second);
    for (const auto& [operation, why] : dead)
      warn(all_dead ? "never-decides" : "never-grants", rule, "operations", named(operation),
           "it can never grant " + named(operation) + ": " + why);
  }

  std::optional<std::string> why_never(const Rule& rule, std::size_t index, Operation operation) const {
    if (auto why = why_inert(rule, operation)) return why;
    for (const auto& other : policy_.rules)
      if (denies_all(other, rule, operation))
        return "the deny rule " + in_quotes(other.name) + " matches all that it would grant";
    for (std::size_t i = 0; i < index; ++i)
      if (hides(policy_.rules[i], rule, operation))
        return "the rule " + in_quotes(policy_.rules[i].name) + ", which comes first, grants all of it";
    return std::nullopt;
  }

  void look_at_deny(const Rule& rule) {
    if (std::ranges::any_of(kOperations, [&](Operation operation) { return can_match(rule, operation); })) return;
    warn(
        "never-decides", rule, {}, {},
        "it matches no request that there is: a deny rule matches what is in all of its lists, and an empty list holds "
        "nothing");
  }

  // Keys that change nothing in this rule.
  void look_at_options(const Rule& rule) {
    const std::pair<const char*, bool> set[] = {{"max_mtu", rule.max_mtu > Rule::kDefaultMaxMtu},
                                                {"max_queues", rule.max_queues > 1},
                                                {"host_mac", rule.host_mac},
                                                {"vnet_hdr", rule.vnet_hdr},
                                                {"namespaces", rule.namespaces},
                                                {"persistent", rule.persistent}};
    const bool opens = rule.operations && rule.operations->contains(Operation::open);
    for (const auto& [key, is_set] : set) {
      const std::string_view name = key;
      const bool is_for_holders = name == "max_queues" || name == "vnet_hdr" || name == "persistent";
      if (is_set && !opens)
        warn("no-effect", rule, key, {}, "it has no effect: only open asks for it, and the rule does not grant that");
      else if (is_set && rule.sealed && is_for_holders)
        warn("no-effect", rule, key, {},
             "it has no effect: the rule wants sealed interfaces only, which have none of it");
    }
    if (rule.isolated && (!rule.bridges || rule.bridges->empty()))
      warn("no-effect", rule, "isolated", {}, "it has no effect: the rule lists no bridges");
  }

  void look_at_ranges(const Rule& rule, const char* key, const std::optional<std::vector<IpRange>>& ranges) {
    for (const auto& range : ranges.value_or(std::vector<IpRange>{})) {
      const auto bounds = range.ipv4_bounds();
      const auto first = bounds ? special_purpose(bounds->first) : std::nullopt;
      if (first && first == special_purpose(bounds->second))
        warn("no-such-address", rule, key, range.str(),
             range.str() + " holds no address that can be granted: " + std::string(*first));
      for (const auto* special : {"::/128", "::1/128", "::ffff:0:0/96", "fe80::/10", "ff00::/8"})
        if (IpRange::parse(special)->covers(range))
          warn("no-such-address", rule, key, range.str(),
               range.str() + " holds no address that can be granted: " + std::string(*special_purpose(range.first())));
    }
  }

  std::string device_name(int ifindex) const {
    const auto* link = host_->link(ifindex);
    return link != nullptr ? link->name : "a device";
  }

  // Devices of guests come and go, and their addresses with them.
  bool is_of_a_guest(int ifindex) const {
    const auto* link = host_->link(ifindex);
    return link == nullptr || link->loopback || policy::maker_of(*link).has_value();
  }

  void look_at_host(const Rule& rule) {
    for (const auto& range : rule.guests.value_or(std::vector<IpRange>{})) {
      const auto own = [&](const auto& held) {
        if (!is_of_a_guest(held.ifindex) && range.contains(held.address))
          warn("host-address", rule, "guests", range.str(),
               range.str() + " holds " + held.address.str() + ", the host's own address on " +
                   device_name(held.ifindex) + ", which no guest can have");
      };
      const auto gateway = [&](const auto& route) {
        if (route.gateway && range.contains(*route.gateway))
          warn("host-address", rule, "guests", range.str(),
               range.str() + " holds " + route.gateway->str() + ", the host's gateway on " +
                   device_name(route.ifindex) + ", which no guest can have");
      };
      std::ranges::for_each(host_->addresses, own);
      std::ranges::for_each(host_->ipv6_addresses, own);
      std::ranges::for_each(host_->routes, gateway);
      std::ranges::for_each(host_->ipv6_routes, gateway);
      look_at_lan_of(rule, range);
    }
    for (const auto& range : rule.gateways.value_or(std::vector<IpRange>{})) {
      if (range.is_one_address()) continue;  // just that one: it is meant
      const auto own = [&](const auto& held) {
        if (!is_of_a_guest(held.ifindex) && range.contains(held.address))
          warn("host-address", rule, "gateways", range.str(),
               range.str() + " holds " + held.address.str() + ", the host's own address on " +
                   device_name(held.ifindex) + ": callers may have it on the devices of their guests, too");
      };
      std::ranges::for_each(host_->addresses, own);
      std::ranges::for_each(host_->ipv6_addresses, own);
    }
    for (const auto& name : rule.bridges.value_or(std::vector<IfName>{})) {
      const auto* link = host_->link(name.str());
      if (link == nullptr)
        warn("no-such-device", rule, "bridges", name.str(), "there is no bridge " + name.str() + " on this host now");
      else if (link->kind != "bridge")
        warn("no-such-device", rule, "bridges", name.str(), "the device " + name.str() + " is not a bridge");
    }
    for (const auto& name : rule.lan.value_or(std::vector<IfName>{}))
      if (host_->link(name.str()) == nullptr)
        warn("no-such-device", rule, "lan", name.str(), "there is no device " + name.str() + " on this host now");
  }

  // Guest addresses out of a LAN of the host's that the rule does not list: they would be granted, and not be seen
  // there.
  void look_at_lan_of(const Rule& rule, const IpRange& range) {
    const auto look = [&](const IpRange& lan, int ifindex) {
      if (lan.length() == 0 || lan.is_one_address() || is_of_a_guest(ifindex)) return;
      const auto name = device_name(ifindex);
      const bool listed =
          rule.lan && std::ranges::any_of(*rule.lan, [&](const IfName& one) { return one.str() == name; });
      if (lan.covers(range) && !listed)
        warn("not-published", rule, "guests", range.str(),
             range.str() + " lies in the LAN of " + name +
                 ", which the rule does not list under \"lan\": only this host "
                 "will reach these guests");
    };
    for (const auto& route : host_->routes)
      look(IpRange::network_of(route.destination, route.mask.length()), route.ifindex);
    for (const auto& route : host_->ipv6_routes)
      look(IpRange::network_of(route.destination, route.prefix_length), route.ifindex);
  }

  const Policy& policy_;
  const Memberships& memberships_;
  const HostState* host_;
  std::vector<PolicyWarning> warnings_;
};

}  // namespace

std::vector<PolicyWarning> review(const Policy& policy, const Memberships& memberships, const HostState* host) {
  return Review(policy, memberships, host).all();
}

}  // namespace umlnet::cli
