#include "libumlnet/cli/policy_review.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "libumlnet/cli/rule_comparison.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

using policy::DevicePattern;
using policy::Effect;
using policy::HostState;
using policy::Policy;
using policy::Principal;
using policy::Rule;

std::string named(Operation operation) { return std::string(operation_name(operation)); }

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
      look_at_owners(rule);
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
    for (const auto& [key, patterns] :
         {std::pair("devices", &rule.devices), std::pair("bridges", &rule.bridges), std::pair("lan", &rule.lan)})
      for (const auto& pattern : patterns->value_or(std::vector<DevicePattern>{}))
        if (!pattern.example())
          warn("no-such-name", rule, key, pattern.str(),
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

  // An address is kept out as a guest's, and can be taken as the host's own: who has it gets what is sent to it. Or
  // the other way round.
  void look_at_deny(const Rule& rule) {
    const auto look = [&](AddressKey key, const char* name, AddressKey other, const char* other_name) {
      if (rule.*other) return;
      for (const auto& range : (rule.*key).value_or(std::vector<IpRange>{}))
        for (const auto& allow : policy_.rules)
          if (speaks_of_all(rule, allow) || speaks_of_all(allow, rule))
            if (const auto operation = grants_inside(allow, other, range, policy_))
              return warn("passes", rule, name, range.str(),
                          range.str() + " is denied under " + in_quotes(name) + " only: rule " + allow.name +
                              " still grants such addresses to " + named(*operation) + " under " +
                              in_quotes(other_name) + "; if it is not to, add a deny rule with " +
                              in_quotes(other_name) + ": [" + in_quotes(range.str()) + "]");
    };
    look(&Rule::guests, "guests", &Rule::gateways, "gateways");
    look(&Rule::gateways, "gateways", &Rule::guests, "guests");
  }

  // Keys that change nothing in this rule.
  void look_at_options(const Rule& rule) {
    const std::pair<const char*, bool> set[] = {{"max_mtu", rule.max_mtu > Rule::kDefaultMaxMtu},
                                                {"max_queues", rule.max_queues > 1},
                                                {"host_mac", rule.host_mac},
                                                {"vnet_hdr", rule.vnet_hdr},
                                                {"namespaces", rule.namespaces},
                                                {"persistent", rule.persistent},
                                                {"infrastructure", rule.infrastructure != Infrastructure{}}};
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
    if (rule.max_devices_per_bridge && (!rule.bridges || rule.bridges->empty()))
      warn("no-effect", rule, "max_devices_per_bridge", {}, "it has no effect: the rule lists no bridges");
  }

  // A device for another is persistent.
  void look_at_owners(const Rule& rule) {
    if (rule.persistent) return;
    if (!rule.owners.empty())
      warn("no-effect", rule, "owners", {}, "it has no effect: the rule does not set persistent");
    if (!rule.owner_groups.empty())
      warn("no-effect", rule, "owner_groups", {}, "it has no effect: the rule does not set persistent");
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
               range.str() + " holds " + to_string(*route.gateway) + ", the host's gateway on " +
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
    look_at_devices(rule);
  }

  void look_at_devices(const Rule& rule) {
    const auto is_there = [&](const DevicePattern& pattern, bool bridge) {
      return std::ranges::any_of(host_->links, [&](const rtnetlink::Link& link) {
        return (!bridge || link.kind == "bridge") && policy::match_any({pattern}, link);
      });
    };
    for (const auto& pattern : rule.bridges.value_or(std::vector<DevicePattern>{})) {
      const auto& name = pattern.str();
      if (is_there(pattern, true)) continue;
      const bool is_other = pattern.is_name() && is_there(pattern, false);
      warn("no-such-device", rule, "bridges", name,
           is_other ? "the device " + name + " is not a bridge" : "there is no bridge " + name + " on this host now");
    }
    for (const auto& pattern : rule.lan.value_or(std::vector<DevicePattern>{}))
      if (!is_there(pattern, false))
        warn("no-such-device", rule, "lan", pattern.str(), "there is no device " + pattern.str() + " on this host now");
  }

  // Guest addresses out of a LAN of the host's that the rule does not list: they would be granted, and not be seen
  // there.
  void look_at_lan_of(const Rule& rule, const IpRange& range) {
    const auto look = [&](const IpRange& lan, int ifindex) {
      if (lan.length() == 0 || lan.is_one_address() || is_of_a_guest(ifindex)) return;
      const auto name = device_name(ifindex);
      const bool listed = rule.lan && policy::match_any(*rule.lan, *host_->link(ifindex));
      if (lan.covers(range) && !listed)
        warn("not-published", rule, "guests", range.str(),
             range.str() + " lies in the LAN of " + name +
                 ", which the rule does not list under \"lan\": only this host "
                 "will reach these guests");
    };
    for (const auto& route : host_->routes)
      if (route.table == rtnetlink::kMainTable)
        look(IpRange::network_of(route.destination, route.mask.length()), route.ifindex);
    for (const auto& route : host_->ipv6_routes)
      if (route.table == rtnetlink::kMainTable)
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
