#include "policy/loader/deny_reach.h"

#include <algorithm>

namespace umlnet::policy {
namespace {

bool can_match(const Rule& rule, Operation operation) {
  if (rule.operations && !rule.operations->contains(operation)) return false;
  const auto names_none = [](const auto& patterns) { return patterns && !has_name(*patterns); };
  const auto is_empty = [](const auto& ranges) { return ranges && ranges->empty(); };
  if (names_none(rule.devices) || names_none(rule.bridges) || names_none(rule.lan)) return false;
  if (is_empty(rule.guests) || is_empty(rule.gateways)) return false;
  if (operation == Operation::open)
    return !rule.bridges || (!rule.gateways && !rule.lan);  // a port of a bridge has neither an address nor a LAN
  if (rule.bridges && operation != Operation::bridge) return false;
  const bool kernel_names = operation == Operation::tuntap || operation == Operation::bridge;
  if (rule.devices && kernel_names) return false;
  if (operation == Operation::bridge) return !rule.guests && !rule.lan && !rule.gateways;
  if (operation == Operation::address) return !rule.gateways && (!rule.guests || has_ipv4(*rule.guests));
  return !rule.guests && !rule.lan && (!rule.gateways || has_ipv4(*rule.gateways));
}

}  // namespace

bool has_ipv4(const std::vector<IpRange>& ranges) { return std::ranges::any_of(ranges, &IpRange::is_ipv4); }

bool has_name(const std::vector<DevicePattern>& patterns) {
  return std::ranges::any_of(patterns, [](const DevicePattern& pattern) { return pattern.example().has_value(); });
}

bool can_deny_anything(const Rule& rule) {
  constexpr Operation kAll[] = {Operation::tuntap, Operation::ethertap, Operation::address, Operation::bridge,
                                Operation::open};
  return std::ranges::any_of(kAll, [&](Operation operation) { return can_match(rule, operation); });
}

}  // namespace umlnet::policy
