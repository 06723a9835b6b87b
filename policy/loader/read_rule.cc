#include "policy/loader/read_rule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <system_error>

#include "libumlnet/core/open_options.h"
#include "libumlnet/core/plain_text.h"
#include "policy/loader/deny_reach.h"

namespace umlnet::policy {
namespace {

constexpr std::size_t kMaxRuleName = 64;  // bytes
constexpr std::size_t kMaxAccountName = 255;
constexpr std::uint64_t kMaxId = std::numeric_limits<id_t>::max() - 1;  // the largest id_t means "none"
constexpr std::uint64_t kMaxLimit = 65536;                              // of max_devices and max_addresses

constexpr std::array kOperations = {Operation::tuntap, Operation::ethertap, Operation::address, Operation::bridge,
                                    Operation::open};

// `read_item` makes an item of a string, or says what is wrong with it.
template <class Item>
Result<std::vector<Item>> list_of_strings(const JsonValue& value, std::string_view example,
                                          Result<Item> (*read_item)(const std::string&)) {
  const auto as_in = ", as in [\"" + std::string(example) + "\"]";
  const auto* array = std::get_if<JsonArray>(&value.data);
  if (array == nullptr) return fault(value, shown(value) + " is not an array of strings" + as_in);
  std::vector<Item> items;
  for (const auto& element : *array) {
    const auto* text = as_string(element);
    if (text == nullptr) return fault(element, shown(element) + " is not a string; write an array of strings" + as_in);
    auto item = read_item(*text);
    if (!item) return fault(element, in_quotes(*text) + " " + item.error().what);
    items.push_back(*std::move(item));
  }
  return items;
}

// What is wrong with a range that IpRange::parse does not take, and what to write instead.
std::string why_no_range(std::string_view text) {
  constexpr std::string_view kWrite =
      "write an address in numbers and a prefix length, as in 10.99.0.0/16 or fd00:99::/64";
  const auto slash = text.find('/');
  const auto address = text.substr(0, slash);
  const auto v4 = Ipv4::parse(address);
  const auto v6 = Ipv6::parse(address);
  if ((!v4 && !v6) || slash == std::string_view::npos) return std::string(kWrite);

  const auto digits = text.substr(slash + 1);
  const unsigned bits = v4 ? 32 : 128;
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool is_length = error == std::errc{} && end == digits.data() + digits.size() && length <= bits;
  if (!is_length || digits != std::to_string(length))
    return "the prefix length behind \"/\" must be a number from 0 to " + std::to_string(bits) +
           " without leading zeros";

  std::string network;
  if (v4) {
    network = Ipv4Mask(length).network_of(*v4).str();
  } else {
    auto bytes = v6->bytes();
    for (unsigned bit = length; bit < bits; ++bit) bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
    network = Ipv6(bytes).str();
  }
  return "bits are set to the right of the prefix; write " + network + "/" + std::to_string(length);
}

Result<IpRange> read_range(const std::string& text) {
  if (auto range = IpRange::parse(text)) return *range;
  return fault(0, "is not an address range: " + why_no_range(text));
}

Result<DevicePattern> read_pattern(const std::string& text) {
  if (auto pattern = DevicePattern::parse(text)) return *std::move(pattern);
  return fault(
      0,
      "is not a pattern for device names: write what a name of at most 15 bytes may hold, and *, ?, [abc], [a-z], "
      "[!a-z], as in \"tap*\" or \"uml[0-9]*\"");
}

// Devices that are there may have alternative names, which are longer.
Result<DevicePattern> read_pattern_of_existing(const std::string& text) {
  if (auto pattern = DevicePattern::parse(text, IfName::kAlternativeSize - 1)) return *std::move(pattern);
  return fault(0,
               "is not a pattern for device names: write what a name may hold, and *, ?, [abc], [a-z], [!a-z], 64 "
               "bytes at most, as in \"br0\" or \"eth*\"");
}

Result<Operation> read_operation(const std::string& text) {
  std::string all;
  for (const auto operation : kOperations) {
    if (operation_name(operation) == text) return operation;
    all += (all.empty() ? "" : ", ") + std::string(operation_name(operation));
  }
  return fault(0, "is not an operation; the operations are " + all);
}

enum class AccountKind { user, group };

// A name that no account can have is a mistake that would otherwise match nobody and say nothing.
std::optional<std::string> fault_in_account_name(const std::string& name) {
  if (name.empty()) return "an empty string is not a name";
  if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }))
    return in_quotes(name) + " is a number; write it without quotes";
  const auto forbidden = [](char c) { return c <= ' ' || c > '~' || c == ':' || c == ',' || c == '*'; };
  if (name.size() > kMaxAccountName || std::ranges::any_of(name, forbidden))
    return in_quotes(name) +
           " is not the name of one account: names are printable ASCII without space, \":\", \",\" and \"*\"; write "
           "the number instead";
  return std::nullopt;
}

Result<Principal> read_principal(const JsonValue& value, AccountKind kind, Effect effect, const Accounts& accounts) {
  const bool is_user = kind == AccountKind::user;
  const auto* name = as_string(value);
  if (name == nullptr) {
    const auto* id = std::get_if<std::uint64_t>(&value.data);
    if (id == nullptr || *id > kMaxId)
      return fault(value, shown(value) + " is neither the name of a " + (is_user ? "user" : "group") +
                              " nor a whole number from 0 to " + std::to_string(kMaxId));
    return Principal{static_cast<id_t>(*id), static_cast<id_t>(*id)};
  }
  if (*name == "*") {
    if (!is_user) return fault(value, "\"*\" is not a group; for everybody write \"users\": [\"*\"]");
    return Principal{Everybody{}, std::nullopt};
  }
  if (auto words = fault_in_account_name(*name)) return fault(value, *std::move(words));
  const auto id = is_user ? accounts.uid_of(*name) : accounts.gid_of(*name);
  if (!id && effect == Effect::deny)
    return fault(value, in_quotes(*name) + " is not in " + (is_user ? "/etc/passwd" : "/etc/group") +
                            ", so this deny rule would miss whom it means; write the number, or take it out");
  return Principal{*name, id};
}

Result<std::vector<Principal>> read_principals(const JsonValue& value, AccountKind kind, Effect effect,
                                               const Accounts& accounts) {
  const auto* array = std::get_if<JsonArray>(&value.data);
  if (array == nullptr)
    return fault(value, shown(value) + " is not an array of names and numbers, as in [\"alice\", 1001]");
  std::vector<Principal> principals;
  for (const auto& element : *array) {
    auto principal = read_principal(element, kind, effect, accounts);
    if (!principal) return std::unexpected(std::move(principal.error()));
    principals.push_back(*std::move(principal));
  }
  return principals;
}

// Moves what was read to where it belongs.
template <class T, class Place>
Result<void> put(Result<T> read, Place& place) {
  if (!read) return std::unexpected(std::move(read.error()));
  place = *std::move(read);
  return {};
}

Result<void> read_effect(const JsonValue& value, Rule& rule, const Accounts&) {
  const auto* text = as_string(value);
  if (text == nullptr || (*text != "allow" && *text != "deny"))
    return fault(value, shown(value) + " is not an effect; write \"allow\" or \"deny\"");
  rule.effect = *text == "deny" ? Effect::deny : Effect::allow;
  return {};
}

Result<void> read_name(const JsonValue& value, Rule& rule, const Accounts&) {
  const auto* text = as_string(value);
  if (text == nullptr || text->empty() || text->size() > kMaxRuleName || !is_printable(*text))
    return fault(value, shown(value) + " is not a name for a rule: write 1 to " + std::to_string(kMaxRuleName) +
                            " printable ASCII characters");
  rule.name = *text;
  return {};
}

Result<void> read_users(const JsonValue& value, Rule& rule, const Accounts& accounts) {
  return put(read_principals(value, AccountKind::user, rule.effect, accounts), rule.users);
}

Result<void> read_groups(const JsonValue& value, Rule& rule, const Accounts& accounts) {
  return put(read_principals(value, AccountKind::group, rule.effect, accounts), rule.groups);
}

// The keys that widen or tie what an allow rule grants. A deny rule is narrowed by its lists alone: "may not have more
// than 2 queues" is what an allow rule with max_queues says.
Result<void> check_grants(const JsonValue& value, const Rule& rule) {
  if (rule.effect == Effect::deny)
    return fault(value, "a deny rule is narrowed by lists only; take this key out, or set it in an allow rule");
  return {};
}

Result<void> read_owners(const JsonValue& value, Rule& rule, const Accounts& accounts) {
  if (auto fits = check_grants(value, rule); !fits) return fits;
  return put(read_principals(value, AccountKind::user, rule.effect, accounts), rule.owners);
}

Result<void> read_owner_groups(const JsonValue& value, Rule& rule, const Accounts& accounts) {
  if (auto fits = check_grants(value, rule); !fits) return fits;
  return put(read_principals(value, AccountKind::group, rule.effect, accounts), rule.owner_groups);
}

Result<void> read_operations(const JsonValue& value, Rule& rule, const Accounts&) {
  auto operations = list_of_strings(value, "tuntap", read_operation);
  if (!operations) return std::unexpected(std::move(operations.error()));
  rule.operations.emplace(operations->begin(), operations->end());
  return {};
}

Result<void> read_limit(const JsonValue& value, const Rule& rule, unsigned& limit) {
  if (rule.effect == Effect::deny)
    return fault(value, "a deny rule has no limits; take this key out, or set it in an allow rule");
  const auto number = whole_number(value, kMaxLimit);
  if (!number) return std::unexpected(number.error());
  limit = static_cast<unsigned>(*number);
  return {};
}

Result<void> read_bounded(const JsonValue& value, const Rule& rule, unsigned least, unsigned most, unsigned& bound) {
  if (auto fits = check_grants(value, rule); !fits) return fits;
  const auto number = whole_number(value, most);
  if (!number || *number < least)
    return fault(value, shown(value) + " is not a whole number from " + std::to_string(least) + " to " +
                            std::to_string(most) + ", written in digits only");
  bound = static_cast<unsigned>(*number);
  return {};
}

template <bool Rule::* kFlag>
Result<void> read_flag(const JsonValue& value, Rule& rule, const Accounts&) {
  if (auto fits = check_grants(value, rule); !fits) return fits;
  return put(true_or_false(value), rule.*kFlag);
}

Result<void> read_max_mtu(const JsonValue& value, Rule& rule, const Accounts&) {
  return read_bounded(value, rule, native5::kMinMtu, native5::kMaxMtu, rule.max_mtu);
}

Result<void> read_max_queues(const JsonValue& value, Rule& rule, const Accounts&) {
  return read_bounded(value, rule, 1, native5::kMaxQueues, rule.max_queues);
}

Result<void> read_rule_comment(const JsonValue& value, Rule&, const Accounts&) { return read_comment(value); }

Result<void> read_devices(const JsonValue& value, Rule& rule, const Accounts&) {
  return put(list_of_strings(value, "tap*", read_pattern), rule.devices);
}

Result<void> read_gateways(const JsonValue& value, Rule& rule, const Accounts&) {
  return put(list_of_strings(value, "10.99.0.0/16", read_range), rule.gateways);
}

Result<void> read_guests(const JsonValue& value, Rule& rule, const Accounts&) {
  return put(list_of_strings(value, "10.99.0.0/16", read_range), rule.guests);
}

Result<void> read_bridges(const JsonValue& value, Rule& rule, const Accounts&) {
  return put(list_of_strings(value, "br0", read_pattern_of_existing), rule.bridges);
}

Result<void> read_lan(const JsonValue& value, Rule& rule, const Accounts&) {
  return put(list_of_strings(value, "eth0", read_pattern_of_existing), rule.lan);
}

Result<void> read_max_devices(const JsonValue& value, Rule& rule, const Accounts&) {
  return read_limit(value, rule, rule.max_devices);
}

Result<void> read_max_addresses(const JsonValue& value, Rule& rule, const Accounts&) {
  return read_limit(value, rule, rule.max_addresses);
}

Result<InfrastructureKind> read_infrastructure_kind(const std::string& text) {
  std::string all;
  for (const auto& kind : kInfrastructureKinds) {
    if (kind.name == text) return kind;
    all += (all.empty() ? "" : ", ") + std::string(kind.name);
  }
  return fault(0, "is not a kind of infrastructure; the kinds are " + all);
}

Result<void> read_infrastructure(const JsonValue& value, Rule& rule, const Accounts&) {
  if (auto fits = check_grants(value, rule); !fits) return fits;
  const auto kinds = list_of_strings(value, "dhcp-server", read_infrastructure_kind);
  if (!kinds) return std::unexpected(kinds.error());
  for (const auto& kind : *kinds) rule.infrastructure.*kind.granted = true;
  return {};
}

Result<void> read_max_devices_per_bridge(const JsonValue& value, Rule& rule, const Accounts&) {
  return read_limit(value, rule, rule.max_devices_per_bridge.emplace());
}

struct RuleKey {
  std::string_view name;
  Result<void> (*read)(const JsonValue&, Rule&, const Accounts&);
};

// Read in this order, whatever the order in the file: what some keys may hold depends on `effect`.
constexpr RuleKey kRuleKeys[] = {
    {"name", read_name},
    {"comment", read_rule_comment},
    {"effect", read_effect},
    {"users", read_users},
    {"groups", read_groups},
    {"operations", read_operations},
    {"devices", read_devices},
    {"gateways", read_gateways},
    {"guests", read_guests},
    {"bridges", read_bridges},
    {"lan", read_lan},
    {"max_devices", read_max_devices},
    {"max_addresses", read_max_addresses},
    {"max_devices_per_bridge", read_max_devices_per_bridge},
    {"max_mtu", read_max_mtu},
    {"max_queues", read_max_queues},
    {"host_mac", read_flag<&Rule::host_mac>},
    {"vnet_hdr", read_flag<&Rule::vnet_hdr>},
    {"namespaces", read_flag<&Rule::namespaces>},
    {"persistent", read_flag<&Rule::persistent>},
    {"owners", read_owners},
    {"owner_groups", read_owner_groups},
    {"isolated", read_flag<&Rule::isolated>},
    {"sealed", read_flag<&Rule::sealed>},
    {"anti_spoof", read_flag<&Rule::anti_spoof>},
    {"infrastructure", read_infrastructure},
};

}  // namespace

Result<Rule> read_rule(const JsonValue& value, const Accounts& accounts) {
  const auto* object = std::get_if<JsonObject>(&value.data);
  if (object == nullptr)
    return fault(value, shown(value) + " is not a rule; write an object, as in {\"name\": \"uml-guests\", ...}");
  for (const auto& member : *object)
    if (std::ranges::find(kRuleKeys, member.key, &RuleKey::name) == std::end(kRuleKeys)) {
      std::array<std::string_view, std::size(kRuleKeys)> names;
      std::ranges::transform(kRuleKeys, names.begin(), &RuleKey::name);
      return unknown_key(member, "a rule", names);
    }

  Rule rule;
  for (const auto& key : kRuleKeys)
    if (const auto* member = find(*object, key.name))
      if (auto done = key.read(member->value, rule, accounts); !done) return in_key(key.name, done.error());
  if (rule.name.empty()) return fault(value, "key \"name\" is missing; give each rule its own");
  if (rule.users.empty() && rule.groups.empty())
    return fault(value,
                 "keys \"users\" and \"groups\" name nobody; say whom the rule speaks of, as in \"users\": [\"alice\"] "
                 "or \"groups\": [\"umlnet\"], or \"users\": [\"*\"] for everybody");
  if (rule.effect == Effect::deny && !can_deny_anything(rule))
    return fault(value,
                 "it denies nothing: a deny rule matches a request that is in all of its lists, and no request is in "
                 "these; make a rule of each list, or take out those that hold nothing");
  return rule;
}

}  // namespace umlnet::policy
