#include "policy/rule_evaluation.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "policy/lan_devices.h"
#include "policy/quota_usage.h"

namespace umlnet::policy {
namespace {

constexpr unsigned kEthernetMtu = 1500;  // what the kernel gives a TAP, in bytes

bool names(const std::vector<Principal>& principals, id_t id) {
  return std::ranges::any_of(principals, [&](const Principal& principal) {
    return std::holds_alternative<Everybody>(principal.written) || principal.id == id;
  });
}

bool speaks_of(const Rule& rule, const Caller& caller) {
  return names(rule.users, caller.uid) || names(rule.groups, caller.gid) ||
         std::ranges::any_of(caller.groups, [&](gid_t group) { return names(rule.groups, group); });
}

// By the name that the request has for a device, and for one that is there by each name that it has.
bool is_in(const IfName& name, const std::vector<DevicePattern>& patterns, const HostState& host) {
  const auto* device = host.link(name.str());
  return match_any(patterns, name.str()) || (device != nullptr && match_any(patterns, *device));
}

bool meets(const IpRange& network, const std::vector<IpRange>& ranges) {
  return std::ranges::any_of(ranges, [&](const IpRange& range) { return range.overlaps(network); });
}

std::string listed(const auto& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item.str();
  return text;
}

// What a request names of that which rules list. A device that is to be made has no name where the kernel chooses one.
struct Named {
  std::optional<IfName> device = {};
  bool is_new_device = false;
  std::vector<IpInterface> addresses = {};  // the host's
  std::string_view address_word = "gateway";
  std::vector<IpRange> guests = {};
  std::optional<IfName> bridge = {};
};

std::vector<IpInterface> one_address(const std::optional<Ipv4>& gateway) {
  return gateway ? std::vector{IpInterface{*gateway, 32}} : std::vector<IpInterface>();
}

Named named_in(const Request& request) {
  struct Visitor {
    Named operator()(const MakeTap& tap) const {
      return {.is_new_device = true, .addresses = one_address(tap.gateway)};
    }
    Named operator()(const OpenEthertap& ethertap) const {
      return {.device = ethertap.device, .is_new_device = true, .addresses = one_address(ethertap.gateway)};
    }
    Named operator()(const MakeBridgedTap& bridged) const { return {.is_new_device = true, .bridge = bridged.bridge}; }
    Named operator()(const AddAddress& add) const {
      return {.device = add.device, .guests = {IpRange::just(add.address)}};
    }
    Named operator()(const DeleteAddress& del) const {
      return {.device = del.device, .guests = {IpRange::just(del.address)}};
    }
    Named operator()(const OpenInterface& open) const {
      return {.device = open.device,
              .is_new_device = true,
              .addresses = open.addresses,
              .address_word = "address",
              .guests = open.guests,
              .bridge = open.bridge};
    }
    Named operator()(const RemoveInterface&) const { return {}; }
    Named operator()(const OpenSession&) const { return {}; }
    Named operator()(const CollectGarbage&) const { return {}; }
  };
  return std::visit(Visitor{}, request);
}

// As the request's protocol writes it: a gateway without the "/32" that it always has.
std::string text_of(const IpInterface& address, const Named& named) {
  return named.address_word == "gateway" ? to_string(address.address) : address.str();
}

std::vector<std::string> texts_of(const std::vector<IpRange>& guests) {
  std::vector<std::string> texts;
  texts.reserve(guests.size());
  for (const auto& guest : guests) texts.push_back(guest.compact());
  return texts;
}

// The devices on which a guest's address of the request would be published if policy let it.
std::vector<const rtnetlink::Link*> lans_in(const Request& request, const IpRange& guest, const HostState& host) {
  const auto of_change = [&](const auto& change) { return lans_of(host, change.address, change.netmask); };
  if (const auto* add = std::get_if<AddAddress>(&request)) return of_change(*add);
  if (const auto* del = std::get_if<DeleteAddress>(&request)) return of_change(*del);
  const auto* open = std::get_if<OpenInterface>(&request);
  if (open != nullptr && !open->bridge) return lans_for(host, guest);
  return {};
}

// "guest address 10.0.0.7 is not in 10.1.0.0/16": what to say where none of `values` is in what the rule lists.
std::string none_in(std::string_view what, const std::vector<std::string>& values, const std::string& where) {
  std::string all;
  for (const auto& value : values) all += (all.empty() ? "" : ", ") + value;
  return std::string(what) + " " + all + (values.size() == 1 ? " is" : " are") + " not in " + where;
}

// In a deny rule each list that is there narrows what the rule speaks of, and a list left out does not. Nothing where
// the rule matches, else why not.
std::optional<std::string> why_no_match(const Rule& rule, const Request& request, const HostState& host) {
  const auto operation = operation_of(request);
  if (rule.operations && !rule.operations->contains(operation))
    return "it denies other operations than " + std::string(operation_name(operation));
  const auto named = named_in(request);
  if (rule.bridges) {
    if (!named.bridge) return "it denies bridges, and the request names none";
    if (!is_in(*named.bridge, *rule.bridges, host))
      return "bridge " + named.bridge->str() + " is not in " + listed(*rule.bridges);
  }
  if ((rule.guests || rule.lan) && named.guests.empty()) return "it denies guest addresses, and the request names none";
  if (rule.guests && std::ranges::none_of(named.guests, [&](const auto& guest) { return meets(guest, *rule.guests); }))
    return none_in("guest address", texts_of(named.guests), listed(*rule.guests));
  if (rule.devices) {
    if (!named.device && !named.is_new_device) return "it denies names of devices, and the request names none";
    if (!named.device) return "it denies names of devices, and the kernel chooses this one";
    const bool matches =
        named.is_new_device ? match_any(*rule.devices, named.device->str()) : is_in(*named.device, *rule.devices, host);
    if (!matches) return "device " + named.device->str() + " is not in " + listed(*rule.devices);
  }
  if (rule.gateways) {
    if (named.addresses.empty()) return "it denies gateways, and the request names none";
    if (std::ranges::none_of(named.addresses,
                             [&](const auto& address) { return meets(address.network(), *rule.gateways); })) {
      std::vector<std::string> texts;
      texts.reserve(named.addresses.size());
      for (const auto& address : named.addresses) texts.push_back(text_of(address, named));
      return none_in(named.address_word, texts, listed(*rule.gateways));
    }
  }
  if (rule.lan) {
    const auto is_denied = [&](const auto* lan) { return match_any(*rule.lan, *lan); };
    if (std::ranges::none_of(named.guests, [&](const IpRange& guest) {
          return std::ranges::any_of(lans_in(request, guest, host), is_denied);
        }))
      return none_in("guest address", texts_of(named.guests), "the LAN of " + listed(*rule.lan));
  }
  return std::nullopt;
}

RuleEvaluation lacks(std::string miss) { return {RuleVerdict::lacks_value, std::move(miss)}; }

// What the rule lists under `key` does not hold `value`.
RuleEvaluation not_in(std::string_view what, const std::string& value, const auto& items, std::string_view key) {
  const bool lists_none = !items || items->empty();
  return lacks(std::string(what) + " " + value +
               (lists_none ? ": the rule lists no " + std::string(key) : ": not in " + listed(*items)));
}

RuleEvaluation over(std::string_view limit, unsigned most, unsigned held, unsigned wanted) {
  const auto more = wanted > 1 ? ", and the request asks for " + std::to_string(wanted) : "";
  return {RuleVerdict::lacks_room,
          std::string(limit) + " " + std::to_string(most) + ": " + std::to_string(held) + " in use" + more};
}

// What the rule lists under `key` does not grant all of `network`. Link-local addresses of IPv4 take a range of only
// such: the author of 0.0.0.0/0 does not think of them. A default route no rule can grant: see host_refusal().
std::optional<RuleEvaluation> miss_of(std::string_view what, const std::string& value, const IpRange& network,
                                      const std::optional<std::vector<IpRange>>& ranges, std::string_view key) {
  bool is_covered = false;
  const IpRange link_local = link_local_ipv4();
  for (const auto& range : ranges.value_or(std::vector<IpRange>{})) {
    if (!range.covers(network)) continue;
    if (!link_local.overlaps(network) || link_local.covers(range) || network.length() == 0) return std::nullopt;
    is_covered = true;
  }
  if (!is_covered) return not_in(what, value, ranges, key);
  return lacks(std::string(what) + " " + value + ": it is link-local, and " + std::string(key) +
               " lists no range within 169.254.0.0/16 that holds it");
}

std::optional<RuleEvaluation> miss_among_names(const Rule& rule, const Named& named, const HostState& host) {
  if (named.is_new_device && named.device && (!rule.devices || !match_any(*rule.devices, named.device->str())))
    return not_in("device", named.device->str(), rule.devices, "devices");
  for (const auto& address : named.addresses)
    if (auto miss = miss_of(named.address_word, text_of(address, named), address.network(), rule.gateways, "gateways"))
      return miss;
  for (const auto& guest : named.guests)
    if (auto miss = miss_of("guest address", guest.compact(), guest, rule.guests, "guests")) return miss;
  if (named.bridge && (!rule.bridges || !is_in(*named.bridge, *rule.bridges, host)))
    return not_in("bridge", named.bridge->str(), rule.bridges, "bridges");
  return std::nullopt;
}

// What the options of `open` ask for beyond names and addresses.
std::optional<RuleEvaluation> miss_among_options(const Rule& rule, const Caller& caller, const OpenInterface& open) {
  const auto number = [](std::string_view option, unsigned wanted, std::string_view key, unsigned most) {
    return lacks(std::string(option) + " " + std::to_string(wanted) + ": the rule's " + std::string(key) + " is " +
                 std::to_string(most));
  };
  const auto unset = [](std::string what, std::string_view key) {
    return lacks(std::move(what) + ": the rule does not set " + std::string(key));
  };
  // A device on a bridge has the bridge's where it is not told otherwise, which nobody chose here: 0 is less than any.
  const unsigned mtu = open.mtu.value_or(open.bridge ? 0 : kEthernetMtu);
  if (mtu > rule.max_mtu) return number("mtu", mtu, "max_mtu", rule.max_mtu);
  if (open.mac && !rule.host_mac) return unset("mac " + open.mac->str(), "host_mac");
  if (open.queues > rule.max_queues) return number("queues", open.queues, "max_queues", rule.max_queues);
  if (open.virtio_headers && !rule.vnet_hdr) return unset("vnet-hdr", "vnet_hdr");
  if (open.netns && !rule.namespaces) return unset("netns", "namespaces");
  if (open.persistent && !rule.persistent) return unset("persist", "persistent");
  if (open.owner && *open.owner != DeviceOwner{.id = caller.uid}) {
    const bool is_group = open.owner->kind == DeviceOwner::Kind::group;
    if (!names(is_group ? rule.owner_groups : rule.owners, open.owner->id))
      return lacks("owner " + open.owner->str() + ": not in the rule's " + (is_group ? "owner_groups" : "owners"));
  }
  return std::nullopt;
}

// What the rule wants of every new device. Operations that have no word for it cannot give it.
std::optional<RuleEvaluation> miss_among_wants(const Rule& rule, const Request& request, const Named& named) {
  if (!named.is_new_device) return std::nullopt;
  const auto* open = std::get_if<OpenInterface>(&request);
  const auto wants = [&](std::string_view option, std::string_view what, std::string_view add) {
    const std::string want = std::string(option) + ": the rule wants " + std::string(what);
    const std::string operation(operation_name(operation_of(request)));
    return lacks(open != nullptr ? want + "; add " + std::string(add)
                                 : want + ", and the operation " + operation + " makes none; use open");
  };
  // The frames of an ethertap session go through the helper: its caller never holds the device either.
  const bool is_sealed = open != nullptr ? open->sealed : std::holds_alternative<OpenEthertap>(request);
  if (rule.isolated && named.bridge && !(open != nullptr && open->isolated))
    return wants("isolated", "isolated ports of bridges only", "isolated");
  if (rule.sealed && !is_sealed) return wants("sealed", "sealed interfaces only", "sealed");
  if (rule.anti_spoof && !(open != nullptr && open->anti_spoof))
    return wants("anti-spoof", "interfaces with an anti-spoofing filter only", "anti-spoof, guest-mac= and guest=");
  return std::nullopt;
}

std::optional<RuleEvaluation> miss_of_room(const Rule& rule, const Caller& caller, const Request& request,
                                           const HostState& host) {
  auto demand = demand_of(request);
  if (const auto* add = std::get_if<AddAddress>(&request))
    if (host.has_guest_route(add->address)) demand.addresses = 0;
  if (demand.devices != 0)
    if (const auto held = host.devices_of(caller.uid); held + demand.devices > rule.max_devices)
      return over("max_devices", rule.max_devices, held, demand.devices);
  if (demand.bridge && rule.max_devices_per_bridge)
    if (const auto held = host.ports_of(caller.uid, *demand.bridge); held + 1 > *rule.max_devices_per_bridge)
      return over("max_devices_per_bridge", *rule.max_devices_per_bridge, held, 1);
  if (demand.addresses != 0)
    if (const auto held = host.addresses_of(caller.uid); held + demand.addresses > rule.max_addresses)
      return over("max_addresses", rule.max_addresses, held, demand.addresses);
  return std::nullopt;
}

RuleEvaluation allow_answer(const Rule& rule, const Caller& caller, const Request& request, const HostState& host) {
  if (!rule.operations || !rule.operations->contains(operation_of(request))) return {RuleVerdict::lacks_operation, {}};
  const auto named = named_in(request);
  if (auto miss = miss_among_names(rule, named, host)) return *std::move(miss);
  if (const auto* open = std::get_if<OpenInterface>(&request))
    if (auto miss = miss_among_options(rule, caller, *open)) return *std::move(miss);
  if (auto miss = miss_among_wants(rule, request, named)) return *std::move(miss);
  if (auto miss = miss_of_room(rule, caller, request, host)) return *std::move(miss);
  return {RuleVerdict::grants, {}};
}

RuleEvaluation answer_of(const Rule& rule, const Caller& caller, const Request& request, const HostState& host) {
  if (!traits_of(request).needs_rule || !speaks_of(rule, caller)) return {RuleVerdict::nothing, {}};
  if (rule.effect == Effect::allow) return allow_answer(rule, caller, request, host);
  if (auto why = why_no_match(rule, request, host)) return {RuleVerdict::does_not_match, *std::move(why)};
  return {RuleVerdict::denies, {}};
}

}  // namespace

std::vector<RuleEvaluation> answers_of(const Policy& policy, const Caller& caller, const Request& request,
                                       const HostState& host) {
  std::vector<RuleEvaluation> answers;
  answers.reserve(policy.rules.size());
  for (const auto& rule : policy.rules) answers.push_back(answer_of(rule, caller, request, host));
  return answers;
}

}  // namespace umlnet::policy
