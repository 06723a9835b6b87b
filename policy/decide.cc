#include "policy/decide.h"

#include <algorithm>
#include <utility>

#include "policy/location.h"

namespace umlnet::policy {
namespace {

const std::string kAskAdministrator =
    std::string("Ask the administrator of this host for a rule in ") + kPolicyFile + " (umlnet-policy(5)).";

template <class... Handlers>
struct Overload : Handlers... {
  using Handlers::operator()...;
};

bool names(const std::vector<Principal>& principals, id_t id) {
  return std::ranges::any_of(principals, [&](const Principal& principal) {
    return std::holds_alternative<Everybody>(principal.written) || principal.id == id;
  });
}

bool speaks_of(const Rule& rule, const Caller& caller) {
  return names(rule.users, caller.uid) || names(rule.groups, caller.gid) ||
         std::ranges::any_of(caller.groups, [&](gid_t group) { return names(rule.groups, group); });
}

bool holds(const std::vector<IpRange>& ranges, Ipv4 address) {
  return std::ranges::any_of(ranges, [&](const IpRange& range) { return range.contains(address); });
}

std::string listed(const auto& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item.str();
  return text;
}

// The facts that a decision about a new device rests on. Without a name the kernel chooses one.
struct DeviceFacts {
  std::optional<IfName> name = {};
  std::optional<Ipv4> gateway = {};
  std::optional<IfName> bridge = {};
};

std::optional<DeviceFacts> device_facts(const Request& request) {
  if (const auto* tap = std::get_if<MakeTap>(&request)) return DeviceFacts{.gateway = tap->gateway};
  if (const auto* ethertap = std::get_if<OpenEthertap>(&request))
    return DeviceFacts{.name = ethertap->device, .gateway = ethertap->gateway};
  if (const auto* bridged = std::get_if<MakeBridgedTap>(&request)) return DeviceFacts{.bridge = bridged->bridge};
  return std::nullopt;
}

bool matches(const std::vector<DevicePattern>& patterns, const IfName& name) {
  return std::ranges::any_of(patterns, [&](const DevicePattern& pattern) { return pattern.matches(name); });
}

bool lists(const std::vector<IfName>& names, const IfName& name) {
  return std::ranges::find(names, name) != names.end();
}

// The facts that a decision about an address change rests on.
struct AddressFacts {
  IfName device;
  Ipv4 address;
  Ipv4Mask netmask;
  bool adds;
};

std::optional<AddressFacts> address_facts(const Request& request) {
  if (const auto* add = std::get_if<AddAddress>(&request))
    return AddressFacts{add->device, add->address, add->netmask, true};
  if (const auto* del = std::get_if<DeleteAddress>(&request))
    return AddressFacts{del->device, del->address, del->netmask, false};
  return std::nullopt;
}

// In a deny rule each list that is there narrows what the rule speaks of, and a list left out does not. Nothing where
// the rule matches, else why not.
std::optional<std::string> why_no_match(const Rule& rule, const Request& request, const HostState& host) {
  if (rule.operations && !rule.operations->contains(operation_of(request)))
    return "it denies other operations than " + std::string(operation_name(operation_of(request)));
  const auto device = device_facts(request);
  if (rule.bridges && !(device && device->bridge)) return "it denies bridges, and the request names none";
  if (device) {
    if (rule.bridges && !lists(*rule.bridges, *device->bridge))
      return "bridge " + device->bridge->str() + " is not in " + listed(*rule.bridges);
    if (rule.guests || rule.lan) return "it denies guest addresses, and the request names none";
    if (rule.devices && !device->name) return "it denies names of devices, and the kernel chooses this one";
    if (rule.devices && !matches(*rule.devices, *device->name))
      return "device " + device->name->str() + " is not in " + listed(*rule.devices);
    if (!rule.gateways) return std::nullopt;
    if (!device->gateway) return "it denies gateways, and the request names none";
    if (!holds(*rule.gateways, *device->gateway))
      return "gateway " + device->gateway->str() + " is not in " + listed(*rule.gateways);
  }
  if (const auto change = address_facts(request)) {
    if (rule.gateways) return "it denies gateways, and the request names none";
    if (rule.guests && !holds(*rule.guests, change->address))
      return "guest address " + change->address.str() + " is not in " + listed(*rule.guests);
    if (rule.devices && !matches(*rule.devices, change->device))
      return "device " + change->device.str() + " is not in " + listed(*rule.devices);
    if (!rule.lan) return std::nullopt;
    const auto* link = host.link(change->device.str());
    const auto lans = lans_of(host, change->address, change->netmask, link != nullptr ? link->ifindex : 0);
    const bool in_one_of_them = std::ranges::any_of(lans, [&](const auto* lan) {
      return std::ranges::any_of(*rule.lan, [&](const IfName& name) { return name.str() == lan->name; });
    });
    if (!in_one_of_them) return "guest address " + change->address.str() + " is not in the LAN of " + listed(*rule.lan);
  }
  return std::nullopt;
}

// `value`, which stands in none of the items that the rule lists under `key`.
RuleAnswer not_in(std::string_view what, const auto& value, const auto& items, std::string_view key) {
  std::string miss = std::string(what) + " " + value.str();
  miss += !items || items->empty() ? ": the rule lists no " + std::string(key) : ": not in " + listed(*items);
  return {RuleSays::lacks_value, std::move(miss)};
}

RuleAnswer over(std::string_view limit, unsigned most, unsigned held) {
  return {RuleSays::lacks_room,
          std::string(limit) + " " + std::to_string(most) + ": " + std::to_string(held) + " in use"};
}

RuleAnswer allow_answer(const Rule& rule, const Caller& caller, const Request& request, const HostState& host) {
  const auto operation = operation_of(request);
  if (!rule.operations || !rule.operations->contains(operation)) return {RuleSays::lacks_operation, {}};
  if (const auto device = device_facts(request)) {
    if (device->name && (!rule.devices || !matches(*rule.devices, *device->name)))
      return not_in("device", *device->name, rule.devices, "devices");
    if (device->gateway && (!rule.gateways || !holds(*rule.gateways, *device->gateway)))
      return not_in("gateway", *device->gateway, rule.gateways, "gateways");
    if (device->bridge && (!rule.bridges || !lists(*rule.bridges, *device->bridge)))
      return not_in("bridge", *device->bridge, rule.bridges, "bridges");
    if (const auto held = host.devices_of(caller.uid); held >= rule.max_devices)
      return over("max_devices", rule.max_devices, held);
  }
  if (const auto change = address_facts(request)) {
    if (!rule.guests || !holds(*rule.guests, change->address))
      return not_in("guest address", change->address, rule.guests, "guests");
    const bool is_new = change->adds && host.guest_route(change->address) == nullptr;
    if (const auto held = host.addresses_of(caller.uid); is_new && held >= rule.max_addresses)
      return over("max_addresses", rule.max_addresses, held);
  }
  return {RuleSays::grants, {}};
}

RuleAnswer answer_of(const Rule& rule, const Caller& caller, const Request& request, const HostState& host) {
  if (!speaks_of(rule, caller)) return {RuleSays::nothing, {}};
  if (rule.effect == Effect::allow) return allow_answer(rule, caller, request, host);
  if (auto why = why_no_match(rule, request, host)) return {RuleSays::does_not_match, *std::move(why)};
  return {RuleSays::denies, {}};
}

Denial denied(std::string rule, std::string reason, std::string_view advice = kAskAdministrator) {
  return {std::move(rule), {Code::denied, 0, std::move(reason), std::string(advice)}};
}

// Why no device can be put on `bridge`. Asked only once policy has granted that bridge: what it does not grant is
// refused in the same words, whether it is there or not.
std::optional<Error> no_bridge(const IfName& bridge, const HostState& host) {
  constexpr std::string_view kChoose = "Name another with br=BRIDGE; those that there are: ip link show type bridge";
  const auto* link = host.link(bridge.str());
  if (link == nullptr)
    return Error{Code::no_such_device, 0, "there is no bridge " + bridge.str() + " on this host", std::string(kChoose)};
  if (link->kind != "bridge")
    return Error{Code::no_such_device, 0, "the device " + bridge.str() + " is not a bridge", std::string(kChoose)};
  return std::nullopt;
}

// What no rule can grant: somebody else's device, a bridge that is none, or an address that would take traffic from
// somebody.
std::optional<Denial> forbidden_by_host(const std::string& rule, const Caller& caller, const Request& request,
                                        const HostState& host) {
  const auto wanted = device_facts(request);
  if (wanted && wanted->gateway)
    if (const auto why = special_purpose(*wanted->gateway))
      return Denial{
          rule,
          {Code::bad_value, 0, "gateway " + wanted->gateway->str() + " cannot be put on a device: " + std::string(*why),
           "Choose a private address for the host's side, as in 10.99.0.254."}};
  if (wanted && wanted->name && host.link(wanted->name->str()) != nullptr)
    return Denial{rule,
                  {Code::conflict, 0, "the device name " + wanted->name->str() + " is in use",
                   "Choose another name for the device."}};
  if (wanted && wanted->bridge)
    if (auto error = no_bridge(*wanted->bridge, host)) return Denial{rule, *std::move(error)};
  if (wanted && wanted->gateway && caller.uid != 0)
    if (const auto use = host.gateway_in_use(*wanted->gateway))
      return Denial{rule,
                    {Code::conflict, 0, "gateway " + wanted->gateway->str() + " is " + *use,
                     "Choose an address for the host's side that is free, or the host's already."}};
  const auto change = address_facts(request);
  if (!change) return std::nullopt;

  const auto* device = host.link(change->device.str());
  const auto maker = device != nullptr ? maker_of(*device) : std::nullopt;
  if (!maker || (*maker != caller.uid && caller.uid != 0))
    return Denial{rule,
                  {Code::no_such_device, 0, "there is no device " + change->device.str() + " that uml_net made for you",
                   "Make one with \"uml_net 4 tuntap up\"; a device lives as long as the program that asked for it."}};
  if (!change->adds || caller.uid == 0) return std::nullopt;

  constexpr std::string_view kChoose = "Choose another address for the guest.";
  if (const auto why = special_purpose(change->address))
    return denied(rule, change->address.str() + " cannot be a guest's address: " + std::string(*why), kChoose);
  if (const auto use = host.address_in_use(change->address, device->ifindex))
    return Denial{rule, {Code::conflict, 0, change->address.str() + " is " + *use, std::string(kChoose)}};
  return std::nullopt;
}

}  // namespace

bool Grant::may_publish_on(const std::string& name) const { return !lan_ || lan_->contains(name); }

std::vector<const rtnetlink::Link*> lans_of(const HostState& host, Ipv4 address, Ipv4Mask netmask, int device) {
  std::vector<const rtnetlink::Link*> lans;
  for (const auto& route : host.routes) {
    const bool is_default = route.mask.length() == 0;
    if (is_default || route.ifindex == device || netmask.network_of(route.destination) != netmask.network_of(address))
      continue;
    const auto* lan = host.link(route.ifindex);
    if (lan != nullptr && !lan->loopback && !(std::ranges::find(lans, lan) != lans.end())) lans.push_back(lan);
  }
  return lans;
}

std::vector<RuleAnswer> answers_of(const Policy& policy, const Caller& caller, const Request& request,
                                   const HostState& host) {
  std::vector<RuleAnswer> answers;
  answers.reserve(policy.rules.size());
  for (const auto& rule : policy.rules) answers.push_back(answer_of(rule, caller, request, host));
  return answers;
}

bool counts_against_limits(const Request& request) {
  const auto change = address_facts(request);
  return device_facts(request).has_value() || (change && change->adds);
}

std::optional<Error> over_limits(const Grant& grant, const HostState& after) {
  if (!grant.limits()) return std::nullopt;
  const auto over = [&](std::string_view limit, unsigned most, unsigned held) -> std::optional<Error> {
    if (held <= most) return std::nullopt;
    return Error{Code::denied, 0,
                 "rule " + grant.rule() + " allows this but for " + std::string(limit) + " " + std::to_string(most) +
                     ": other requests of uid " + std::to_string(grant.uid()) + " were quicker",
                 "What was done is taken back. Stop a guest, or ask the administrator for a higher limit."};
  };
  if (device_facts(grant.request())) return over("max_devices", grant.limits()->devices, after.devices_of(grant.uid()));
  return over("max_addresses", grant.limits()->addresses, after.addresses_of(grant.uid()));
}

std::expected<Grant, Denial> decide(const Policy& policy, const Caller& caller, const Request& request,
                                    const HostState& host) {
  const auto refused = [](Denial denial) { return std::unexpected(std::move(denial)); };

  // Anybody may have removed what belongs to nobody; no rule speaks of it.
  if (std::holds_alternative<CollectGarbage>(request))
    return Grant(request, caller.uid, {}, "what guests that are gone left behind", std::nullopt, std::nullopt);

  const auto answers = answers_of(policy, caller, request, host);
  // The first rule that says so, and why.
  const auto first_that = [&](RuleSays says) -> std::optional<std::pair<const Rule&, const std::string&>> {
    const auto found = std::ranges::find(answers, says, &RuleAnswer::says);
    if (found == answers.end()) return std::nullopt;
    return {{policy.rules[static_cast<std::size_t>(found - answers.begin())], found->why}};
  };
  if (const auto deny = first_that(RuleSays::denies))
    return refused(denied(deny->first.name, "rule " + deny->first.name + " denies this"));

  const std::string operation(operation_name(operation_of(request)));
  if (const auto allow = first_that(RuleSays::grants)) {
    const Rule& rule = allow->first;
    if (auto denial = forbidden_by_host(rule.name, caller, request, host)) return refused(*std::move(denial));
    std::set<std::string> lan;
    for (const auto& name : rule.lan.value_or(std::vector<IfName>{})) lan.insert(name.str());
    return Grant(request, caller.uid, rule.name, "rule " + rule.name + " allows " + operation, std::move(lan),
                 caller.uid != 0 ? std::optional(Limits{rule.max_devices, rule.max_addresses}) : std::nullopt);
  }

  if (caller.uid == 0) {
    if (auto denial = forbidden_by_host({}, caller, request, host)) return refused(*std::move(denial));
    return Grant(request, caller.uid, {}, "real uid 0 needs no rule", std::nullopt, std::nullopt);
  }
  if (!policy.present)
    return refused(denied({}, "there is no policy on this host, so only root may use uml_net",
                          std::string("The administrator can write one: ") + kPolicyFile + " (umlnet-policy(5))."));

  // The nearest is the one that lacks least.
  for (const auto says : {RuleSays::lacks_room, RuleSays::lacks_value})
    if (const auto near = first_that(says))
      return refused(denied(near->first.name, "rule " + near->first.name + " allows this but for " + near->second));
  if (const auto far = first_that(RuleSays::lacks_operation))
    return refused(denied(far->first.name, "rule " + far->first.name + " does not allow the operation " + operation));
  return refused(denied({}, "no rule of the policy speaks of uid " + std::to_string(caller.uid) +
                                (caller.user ? " (" + *caller.user + ")" : "") + " or of one of its groups"));
}

}  // namespace umlnet::policy
