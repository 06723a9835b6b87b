#include "libumlnet/cli/rule_comparison.h"

#include <algorithm>

#include "policy/loader/deny_reach.h"

namespace umlnet::cli {
namespace {

using policy::DevicePattern;
using policy::Effect;
using policy::Everybody;
using policy::Policy;
using policy::Principal;
using policy::Rule;

bool is_everybody(const std::vector<Principal>& principals) {
  return std::ranges::any_of(principals,
                             [](const Principal& one) { return std::holds_alternative<Everybody>(one.written); });
}

// Whether each of `part` that stands for somebody is in `whole`.
bool holds_all(const std::vector<Principal>& whole, const std::vector<Principal>& part) {
  return std::ranges::all_of(part, [&](const Principal& one) {
    if (!stands_for_somebody(one)) return true;
    return one.id && std::ranges::any_of(whole, [&](const Principal& other) { return other.id == one.id; });
  });
}

bool covers(const DevicePattern& whole, const DevicePattern& part) {
  if (whole.str() == part.str()) return true;
  const auto star = whole.str().find_first_of("*?[");
  const bool is_prefix = star != std::string::npos && star + 1 == whole.str().size() && whole.str()[star] == '*';
  return is_prefix && part.str().starts_with(whole.str().substr(0, star));
}

bool covers(const IpRange& whole, const IpRange& part) { return whole.covers(part); }

// Whether each item of `part` lies in one of `whole`. A list left out is an empty one here.
template <class Item>
bool covers_all(const std::optional<std::vector<Item>>& whole, const std::optional<std::vector<Item>>& part) {
  if (!part) return true;
  return std::ranges::all_of(*part, [&](const Item& one) {
    return whole && std::ranges::any_of(*whole, [&](const Item& other) { return covers(other, one); });
  });
}

bool makes_device(Operation operation) { return operation != Operation::address; }

// Whether `rule` wants nothing of a device that `other` does not want.
bool wants_no_more(const Rule& rule, const Rule& other) {
  return rule.isolated <= other.isolated && rule.sealed <= other.sealed && rule.anti_spoof <= other.anti_spoof;
}

// Whether `rule` lets `open` ask for all that `other` lets it ask for, beyond names and addresses.
bool lets_ask_as_much(const Rule& rule, const Rule& other) {
  return rule.max_mtu >= other.max_mtu && rule.max_queues >= other.max_queues && rule.host_mac >= other.host_mac &&
         rule.vnet_hdr >= other.vnet_hdr && rule.namespaces >= other.namespaces && rule.persistent >= other.persistent;
}

// Whether a request for `operation` can name an address under `key`.
bool names_addresses(Operation operation, AddressKey key, const IpRange& range) {
  if (operation == Operation::open) return true;
  if (!range.is_ipv4()) return false;
  const bool is_gateway = operation == Operation::tuntap || operation == Operation::ethertap;
  return key == &Rule::gateways ? is_gateway : operation == Operation::address;
}

// Whether `deny` denies every request for `operation` with an address of `range` under `key`.
bool denies_range(const Rule& deny, const Rule& rule, Operation operation, AddressKey key, const IpRange& range) {
  Rule plain = deny;
  (plain.*key).reset();
  return denies_all(plain, rule, operation) && covers_all(deny.*key, std::optional(std::vector{range}));
}

// Whether `rule` lets one bridge have as many devices as `other` does.
bool lets_as_many_on_a_bridge(const Rule& rule, const Rule& other) {
  return rule.max_devices_per_bridge.value_or(rule.max_devices) >=
         std::min(other.max_devices_per_bridge.value_or(other.max_devices), other.max_devices);
}

}  // namespace

bool stands_for_somebody(const Principal& one) {
  return one.id.has_value() || std::holds_alternative<Everybody>(one.written);
}

bool speaks_of_all(const Rule& wide, const Rule& narrow) {
  if (is_everybody(wide.users)) return true;
  if (is_everybody(narrow.users)) return false;
  return holds_all(wide.users, narrow.users) && holds_all(wide.groups, narrow.groups);
}

std::optional<std::string> why_inert(const Rule& rule, Operation operation) {
  if (operation == Operation::ethertap && !(rule.devices && policy::has_name(*rule.devices)))
    return "such a request names its device, and the rule lists no devices that it could name";
  if (operation == Operation::bridge && !(rule.bridges && policy::has_name(*rule.bridges)))
    return "such a request names a bridge, and the rule lists none under \"bridges\"";
  if (operation == Operation::address && !(rule.guests && policy::has_ipv4(*rule.guests)))
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
  if (operation == Operation::bridge && rule.max_devices_per_bridge == 0U) return "max_devices_per_bridge is 0";
  if (operation == Operation::address && rule.max_addresses == 0) return "max_addresses is 0";
  return std::nullopt;
}

bool hides(const Rule& earlier, const Rule& later, Operation operation) {
  if (earlier.effect != Effect::allow || !earlier.operations || !earlier.operations->contains(operation)) return false;
  if (!speaks_of_all(earlier, later) || !wants_no_more(earlier, later)) return false;
  if (operation == Operation::address)
    return covers_all(earlier.guests, later.guests) && earlier.max_addresses >= later.max_addresses;
  if (operation == Operation::bridge)
    return covers_all(earlier.bridges, later.bridges) && earlier.max_devices >= later.max_devices &&
           lets_as_many_on_a_bridge(earlier, later);
  if (operation == Operation::open &&
      !(lets_ask_as_much(earlier, later) && covers_all(earlier.guests, later.guests) &&
        covers_all(earlier.bridges, later.bridges) && lets_as_many_on_a_bridge(earlier, later) &&
        earlier.max_addresses >= later.max_addresses))
    return false;
  const bool devices = operation == Operation::tuntap || covers_all(earlier.devices, later.devices);
  return devices && covers_all(earlier.gateways, later.gateways) && earlier.max_devices >= later.max_devices;
}

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

std::optional<Operation> grants_inside(const Rule& rule, AddressKey key, const IpRange& range, const Policy& all) {
  if (rule.effect != Effect::allow || !rule.operations || !(rule.*key)) return std::nullopt;
  // Where it lists just that range, or addresses in it, they are meant.
  const auto holds = [&](const IpRange& granted) { return granted.covers(range) && granted != range; };
  if (std::ranges::none_of(*(rule.*key), holds)) return std::nullopt;
  for (const auto operation : *rule.operations) {
    if (!names_addresses(operation, key, range)) continue;
    const auto denied = [&](const Rule& deny) {
      return deny.effect == Effect::deny && denies_range(deny, rule, operation, key, range);
    };
    if (std::ranges::none_of(all.rules, denied)) return operation;
  }
  return std::nullopt;
}

}  // namespace umlnet::cli
