#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/strict_json.h"
#include "policy/loader/load.h"
#include "tests/unit/source_root.h"

namespace umlnet::policy {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr const char* kPath = "/etc/umlnet/policy.json";

const Accounts& accounts() {
  static const Accounts known("root:x:0:0:::\nalice:x:1001:1001:::\n", "umlnet:x:990:alice\n");
  return known;
}

Result<Policy> load_text(std::string_view text) {
  const PolicyText file{kPath, std::string(text)};
  return load({&file, 1}, accounts());
}

// The message for a text that must not load.
std::string refusal(std::string_view text) {
  const auto policy = load_text(text);
  REQUIRE_FALSE(policy.has_value());
  CHECK(policy.error().code == Code::bad_policy);
  CHECK(policy.error().errnum == 0);
  CHECK(policy.error().advice == "Nobody is granted anything until this is mended; see umlnet-policy(5).");
  const auto& what = policy.error().what;
  for (const char c : what) CHECK((c >= ' ' && c <= '~'));
  CHECK(what.size() < 1000);
  return what;
}

std::string top(std::string_view members) { return "{\n\"version\": 1,\n" + std::string(members) + "\n}"; }

// A policy of one rule, with `members` in line 5.
std::string with_rule(std::string_view members) {
  return top("\"rules\": [{\n\"name\": \"r\", \"users\": [\"alice\"],\n" + std::string(members) + "\n}]");
}

// A policy of one rule that is only `members`, in line 4.
std::string only_rule(std::string_view members) { return top("\"rules\": [{\n" + std::string(members) + "\n}]"); }

constexpr std::string_view kFull = R"({
  "$schema": "policy.schema.json",
  "comment": "all keys",
  "version": 1,
  "rules": [
    {
      "name": "uml-guests",
      "comment": "a \"comment\" \u00e4",
      "effect": "allow",
      "users": ["alice", 1001, "nobody-here", 0, 4294967294],
      "groups": ["umlnet", 5, "no-group-here"],
      "operations": ["tuntap", "ethertap", "address", "bridge", "open", "open"],
      "devices": ["tap*", "uml[0-9]*"],
      "gateways": ["10.99.0.0/16", "fd00:99::/64"],
      "guests": ["10.99.0.0/16", "10.50.0.32/27", "10.0.0.1"],
      "bridges": ["br0"],
      "lan": ["eth0", "eth0.100"],
      "max_devices": 0,
      "max_addresses": 65536,
      "max_devices_per_bridge": 2,
      "max_mtu": 65521,
      "max_queues": 64,
      "host_mac": true,
      "vnet_hdr": true,
      "namespaces": true,
      "persistent": true,
      "owners": ["alice", 7, "*"],
      "owner_groups": ["umlnet"],
      "isolated": true,
      "sealed": true,
      "anti_spoof": true,
      "infrastructure": ["router", "vrrp", "router"]
    },
    { "name": "least", "users": ["*"] },
    { "name": "nobody", "effect": "deny", "groups": ["umlnet"], "devices": ["tap*"], "lan": ["wan0"] }
  ]
})";

TEST_CASE("policy: all keys are read") {
  const auto policy = load_text(kFull);
  REQUIRE_MESSAGE(policy.has_value(), policy.error().what);
  CHECK(policy->present);
  REQUIRE(policy->rules.size() == 3);

  const auto& full = policy->rules[0];
  CHECK(full.name == "uml-guests");
  CHECK(full.effect == Effect::allow);
  REQUIRE(full.users.size() == 5);
  CHECK(std::get<std::string>(full.users[0].written) == "alice");
  CHECK(full.users[0].id == 1001u);
  CHECK(std::get<id_t>(full.users[1].written) == 1001u);
  CHECK(full.users[1].id == 1001u);
  CHECK(std::get<std::string>(full.users[2].written) == "nobody-here");
  CHECK_FALSE(full.users[2].id.has_value());
  CHECK(full.users[3].id == 0u);
  CHECK(full.users[4].id == 4294967294u);
  REQUIRE(full.groups.size() == 3);
  CHECK(full.groups[0].id == 990u);
  CHECK(full.groups[1].id == 5u);
  CHECK_FALSE(full.groups[2].id.has_value());
  CHECK(full.operations ==
        std::set{Operation::tuntap, Operation::ethertap, Operation::address, Operation::bridge, Operation::open});
  REQUIRE(full.devices.value().size() == 2);
  CHECK(full.devices->at(1).str() == "uml[0-9]*");
  REQUIRE(full.gateways.value().size() == 2);
  CHECK(full.gateways->at(1).str() == "fd00:99::/64");
  REQUIRE(full.guests.value().size() == 3);
  CHECK(full.guests->at(2).str() == "10.0.0.1/32");
  REQUIRE(full.bridges.value().size() == 1);
  CHECK(full.bridges->at(0).str() == "br0");
  REQUIRE(full.lan.value().size() == 2);
  CHECK(full.lan->at(1).str() == "eth0.100");
  CHECK(full.max_devices == 0);
  CHECK(full.max_addresses == 65536);
  CHECK(full.max_devices_per_bridge == 2U);
  CHECK(full.max_mtu == 65521);
  CHECK(full.max_queues == 64);
  CHECK((full.host_mac && full.vnet_hdr && full.namespaces && full.persistent));
  REQUIRE((full.owners.size() == 3 && full.owner_groups.size() == 1));
  CHECK((full.owners[0].id == 1001U && full.owner_groups[0].id == 990U));
  CHECK((full.isolated && full.sealed && full.anti_spoof));
  CHECK(full.infrastructure == Infrastructure{.router = true, .vrrp = true});
}

TEST_CASE("policy: what is left out") {
  const auto policy = load_text(kFull);
  REQUIRE(policy.has_value());
  const auto& least = policy->rules[1];
  CHECK(least.effect == Effect::allow);
  REQUIRE(least.users.size() == 1);
  CHECK(std::holds_alternative<Everybody>(least.users[0].written));
  CHECK_FALSE(least.users[0].id.has_value());
  CHECK(least.groups.empty());
  CHECK_FALSE(least.operations.has_value());
  CHECK_FALSE(least.devices.has_value());
  CHECK_FALSE(least.gateways.has_value());
  CHECK_FALSE(least.guests.has_value());
  CHECK_FALSE(least.bridges.has_value());
  CHECK_FALSE(least.lan.has_value());
  CHECK(least.max_devices == 16);
  CHECK(least.max_addresses == 64);
  CHECK_FALSE(least.max_devices_per_bridge.has_value());
  CHECK(least.max_mtu == 1500);
  CHECK(least.max_queues == 1);
  CHECK_FALSE((least.host_mac || least.vnet_hdr || least.namespaces || least.persistent));
  CHECK_FALSE((least.isolated || least.sealed || least.anti_spoof));
  CHECK(least.infrastructure == Infrastructure{});

  const auto& deny = policy->rules[2];
  CHECK(deny.effect == Effect::deny);
  REQUIRE(deny.devices.has_value());
  CHECK(deny.devices->size() == 1);
}

TEST_CASE("policy: no file is no policy, an empty list of rules is one") {
  const auto none = load({}, accounts());
  REQUIRE(none.has_value());
  CHECK_FALSE(none->present);
  CHECK(none->rules.empty());

  const auto empty = load_text(R"({"version": 1, "rules": []})");
  REQUIRE(empty.has_value());
  CHECK(empty->present);
  CHECK(empty->rules.empty());
}

TEST_CASE("policy: texts that are fine") {
  const std::string texts[] = {
      R"({"rules": [], "version": 1})",
      "\n\t {\r\n\"version\":1,\"rules\":[]}\r\n\n",
      with_rule(R"("operations": [], "devices": [], "gateways": [], "guests": [], "bridges": [], "lan": [])"),
      with_rule(R"("groups": [])"),
      only_rule(R"("name": "r", "users": [], "groups": ["umlnet"])"),
      only_rule(R"("name": "r", "users": ["\u0061lice", "alice", 7, 7])"),
      only_rule(R"("users": ["alice"], "effect": "deny", "name": "r")"),
      only_rule(R"("name": "a \"rule\" \\ ~", "users": ["*", "alice"])"),
      with_rule(R"("comment": "\ud83d\ude00 ä")"),
      with_rule("\"comment\": \"" + std::string(1024, 'x') + "\""),
      with_rule(R"("gateways": ["0.0.0.0/0", "::/0"])"),
  };
  for (const auto& text : texts) {
    CAPTURE(text);
    const auto policy = load_text(text);
    CHECK_MESSAGE(policy.has_value(), policy.error().what);
  }
}

TEST_CASE("policy: a rule's keys with a wrong value") {
  struct Row {
    std::string_view members, key, what;
  };
  static constexpr Row kRows[] = {
      {R"("effect": "permit")", "effect", R"("permit" is not an effect; write "allow" or "deny")"},
      {R"("effect": "Allow")", "effect", R"("Allow" is not an effect; write "allow" or "deny")"},
      {R"("effect": true)", "effect", R"(true is not an effect; write "allow" or "deny")"},
      {R"("comment": 1)", "comment", "1 is not a string"},
      {R"("comment": null)", "comment", "null is not a string"},

      {R"("groups": "umlnet")", "groups", R"("umlnet" is not an array of names and numbers, as in ["alice", 1001])"},
      {R"("groups": {})", "groups", R"(an object is not an array of names and numbers, as in ["alice", 1001])"},
      {R"("groups": ["*"])", "groups", R"("*" is not a group; for everybody write "users": ["*"])"},
      {R"("groups": [""])", "groups", "an empty string is not a name"},
      {R"("groups": ["990"])", "groups", R"("990" is a number; write it without quotes)"},
      {R"("groups": [-1])", "groups", "-1 is neither the name of a group nor a whole number from 0 to 4294967294"},
      {R"("groups": [-0])", "groups", "-0 is neither the name of a group nor a whole number from 0 to 4294967294"},
      {R"("groups": [4294967295])", "groups",
       "4294967295 is neither the name of a group nor a whole number from 0 to 4294967294"},
      {R"("groups": [4294967296])", "groups",
       "4294967296 is neither the name of a group nor a whole number from 0 to 4294967294"},
      {R"("groups": [18446744073709551616])", "groups",
       "18446744073709551616 is neither the name of a group nor a whole number from 0 to 4294967294"},
      {R"("groups": [true])", "groups", "true is neither the name of a group nor a whole number from 0 to 4294967294"},
      {R"("groups": [1.0])", "groups", "1.0 is neither the name of a group nor a whole number from 0 to 4294967294"},
      {R"("groups": [1e3])", "groups", "1e3 is neither the name of a group nor a whole number from 0 to 4294967294"},
      {R"("groups": ["umlnet,audio"])", "groups", "\"umlnet,audio\" is not the name of one account"},
      {R"("groups": ["uml net"])", "groups", "\"uml net\" is not the name of one account"},
      {R"("groups": ["uml*"])", "groups", "\"uml*\" is not the name of one account"},
      {R"("groups": ["uml\n"])", "groups", "\"uml\\x0a\" is not the name of one account"},
      {R"("groups": ["\u00fcml"])", "groups", "\"\\xc3\\xbcml\" is not the name of one account"},

      {R"("operations": "tuntap")", "operations", R"("tuntap" is not an array of strings, as in ["tuntap"])"},
      {R"("operations": [1])", "operations", R"(1 is not a string; write an array of strings, as in ["tuntap"])"},
      {R"("operations": ["tun"])", "operations",
       R"("tun" is not an operation; the operations are tuntap, ethertap, address, bridge, open)"},
      {R"("operations": ["gc"])", "operations",
       R"("gc" is not an operation; the operations are tuntap, ethertap, address, bridge, open)"},
      {R"("operations": ["Tuntap"])", "operations", R"("Tuntap" is not an operation)"},
      {R"("operations": ["*"])", "operations", R"("*" is not an operation)"},
      {R"("operations": [""])", "operations", R"("" is not an operation)"},

      {R"("devices": "tap*")", "devices", R"("tap*" is not an array of strings, as in ["tap*"])"},
      {R"("devices": [null])", "devices", "null is not a string"},
      {R"("devices": ["tap["])", "devices", R"("tap[" is not a pattern for device names)"},
      {R"("devices": [""])", "devices", R"("" is not a pattern for device names)"},
      {R"("devices": ["a/b"])", "devices", R"("a/b" is not a pattern for device names)"},
      {R"("devices": ["tap%d"])", "devices", R"("tap%d" is not a pattern for device names)"},

      {R"("gateways": ["10.99.0.1/16"])", "gateways",
       R"("10.99.0.1/16" is not an address range: bits are set to the right of the prefix; write 10.99.0.0/16)"},
      {R"("gateways": ["fd00:99::1/64"])", "gateways",
       R"("fd00:99::1/64" is not an address range: bits are set to the right of the prefix; write fd00:99::/64)"},
      {R"("gateways": ["fd00:99:0:3::/63"])", "gateways", "write fd00:99:0:2::/63"},
      {R"("gateways": ["1.2.3.4/0"])", "gateways", "write 0.0.0.0/0"},
      {R"("gateways": ["10.0.0.0/33"])", "gateways",
       "\"10.0.0.0/33\" is not an address range: the prefix length behind \"/\" must be a number from 0 to 32 without "
       "leading zeros"},
      {R"("gateways": ["::/129"])", "gateways", R"(the prefix length behind "/" must be a number from 0 to 128)"},
      {R"("gateways": ["10.0.0.0/08"])", "gateways", R"(the prefix length behind "/" must be a number from 0 to 32)"},
      {R"("gateways": ["10.0.0.0/"])", "gateways", R"(the prefix length behind "/" must be a number from 0 to 32)"},
      {R"("gateways": ["10.0.0.0/255.0.0.0"])", "gateways", R"(the prefix length behind "/" must be)"},
      {R"("gateways": ["10.0.0/8"])", "gateways",
       R"("10.0.0/8" is not an address range: write an address in numbers and a prefix length, as in 10.99)"},
      {R"("gateways": ["host.example"])", "gateways", R"("host.example" is not an address range: write an address)"},
      {R"("gateways": ["any"])", "gateways", R"("any" is not an address range: write an address)"},
      {R"("gateways": [""])", "gateways", R"("" is not an address range: write an address)"},
      {R"("gateways": [10])", "gateways", "10 is not a string"},
      {R"("guests": ["010.99.0.0/16"])", "guests", R"("010.99.0.0/16" is not an address range)"},
      {R"("guests": ["10.99.0.0 /16"])", "guests", R"("10.99.0.0 /16" is not an address range)"},
      {R"("guests": {"10.99.0.0/16": true})", "guests", "an object is not an array of strings"},

      {R"("bridges": ["br/0"])", "bridges", R"("br/0" is not a pattern for device names: write what a name may hold)"},
      {R"("bridges": ["br["])", "bridges", R"("br[" is not a pattern for device names)"},
      {R"("lan": ["br\\"])", "lan", R"("br\\" is not a pattern for device names)"},
      {R"("bridges": [""])", "bridges", R"("" is not a pattern for device names)"},
      {R"("lan": ["eth0 "])", "lan", R"("eth0 " is not a pattern for device names)"},
      {R"("lan": ["eth0\u001b[2J"])", "lan", R"("eth0\x1b[2J" is not a pattern for device names)"},
      {R"("lan": [false])", "lan", "false is not a string"},

      {R"("max_devices": -1)", "max_devices", "-1 is not a whole number from 0 to 65536, written in digits only"},
      {R"("max_devices": 65537)", "max_devices", "65537 is not a whole number from 0 to 65536"},
      {R"("max_devices": 4294967296)", "max_devices", "4294967296 is not a whole number from 0 to 65536"},
      {R"("max_devices": 4294967297)", "max_devices", "4294967297 is not a whole number from 0 to 65536"},
      {R"("max_devices": 18446744073709551615)", "max_devices", "18446744073709551615 is not a whole number"},
      {R"("max_devices": 18446744073709551617)", "max_devices", "18446744073709551617 is not a whole number"},
      {R"("max_devices": true)", "max_devices", "true is not a whole number"},
      {R"("max_devices": null)", "max_devices", "null is not a whole number"},
      {R"("max_devices": "8")", "max_devices", "\"8\" is not a whole number"},
      {R"("max_devices": [8])", "max_devices", "an array is not a whole number"},
      {R"("max_devices": 1.0)", "max_devices", "1.0 is not a whole number"},
      {R"("max_devices": 1e3)", "max_devices", "1e3 is not a whole number"},
      {R"("max_devices": 1E+3)", "max_devices", "1E+3 is not a whole number"},
      {R"("max_addresses": -0)", "max_addresses", "-0 is not a whole number"},
      {R"("max_addresses": 0.5)", "max_addresses", "0.5 is not a whole number"},
      {R"("max_addresses": 65537)", "max_addresses", "65537 is not a whole number"},
      {R"("effect": "deny", "max_devices": 1)", "max_devices",
       "a deny rule has no limits; take this key out, or set it in an allow rule"},
      {R"("max_devices_per_bridge": -1)", "max_devices_per_bridge", "-1 is not a whole number"},
      {R"("max_devices_per_bridge": 1, "effect": "deny")", "max_devices_per_bridge", "a deny rule has no limits"},
      {R"("max_addresses": 1, "effect": "deny")", "max_addresses", "a deny rule has no limits"},

      {R"("max_mtu": 67)", "max_mtu", "67 is not a whole number from 68 to 65521, written in digits only"},
      {R"("max_mtu": 65522)", "max_mtu", "65522 is not a whole number from 68 to 65521"},
      {R"("max_mtu": "1500")", "max_mtu", "\"1500\" is not a whole number from 68 to 65521"},
      {R"("max_mtu": 1500, "effect": "deny")", "max_mtu",
       "a deny rule is narrowed by lists only; take this key out, or set it in an allow rule"},
      {R"("max_queues": 0)", "max_queues", "0 is not a whole number from 1 to 64, written in digits only"},
      {R"("max_queues": 65)", "max_queues", "65 is not a whole number from 1 to 64"},
      {R"("max_queues": true)", "max_queues", "true is not a whole number from 1 to 64"},
      {R"("max_queues": 1, "effect": "deny")", "max_queues", "a deny rule is narrowed by lists only"},
      {R"("host_mac": 1)", "host_mac", "1 is neither true nor false"},
      {R"("host_mac": "true")", "host_mac", "\"true\" is neither true nor false"},
      {R"("vnet_hdr": null)", "vnet_hdr", "null is neither true nor false"},
      {R"("namespaces": [])", "namespaces", "an array is neither true nor false"},
      {R"("persistent": 0)", "persistent", "0 is neither true nor false"},
      {R"("isolated": {})", "isolated", "an object is neither true nor false"},
      {R"("sealed": "yes")", "sealed", "\"yes\" is neither true nor false"},
      {R"("anti_spoof": 1.0)", "anti_spoof", "1.0 is neither true nor false"},
      {R"("effect": "deny", "host_mac": false)", "host_mac", "a deny rule is narrowed by lists only"},
      {R"("effect": "deny", "vnet_hdr": true)", "vnet_hdr", "a deny rule is narrowed by lists only"},
      {R"("effect": "deny", "namespaces": true)", "namespaces", "a deny rule is narrowed by lists only"},
      {R"("effect": "deny", "persistent": true)", "persistent", "a deny rule is narrowed by lists only"},
      {R"("effect": "deny", "owners": [1])", "owners", "a deny rule is narrowed by lists only"},
      {R"("effect": "deny", "owner_groups": [1])", "owner_groups", "a deny rule is narrowed by lists only"},
      {R"("owner_groups": ["*"])", "owner_groups", "\"*\" is not a group"},
      {R"("effect": "deny", "isolated": true)", "isolated", "a deny rule is narrowed by lists only"},
      {R"("effect": "deny", "sealed": true)", "sealed", "a deny rule is narrowed by lists only"},
      {R"("effect": "deny", "anti_spoof": true)", "anti_spoof", "a deny rule is narrowed by lists only"},
      {R"("effect": "deny", "infrastructure": [])", "infrastructure", "a deny rule is narrowed by lists only"},
      {R"("infrastructure": true)", "infrastructure", "true is not an array of strings, as in [\"dhcp-server\"]"},
      {R"("infrastructure": ["stp"])", "infrastructure",
       "\"stp\" is not a kind of infrastructure; the kinds are dhcp-server, router, vrrp, multicast-querier"},

      {R"("gateway": [])", "gateway",
       "there is no such key; the keys of a rule are name, comment, effect, users, groups, operations, devices, "
       "gateways, "
       "guests, bridges, lan, max_devices, max_addresses, max_devices_per_bridge, max_mtu, max_queues, host_mac, "
       "vnet_hdr, namespaces, "
       "persistent, owners, owner_groups, isolated, sealed, anti_spoof, infrastructure"},
      {R"("Users": [])", "Users", "there is no such key"},
      {R"("$schema": "x")", "$schema", "there is no such key"},
      {R"("": 1)", "", "there is no such key"},
      {R"("\u001b[31m": 1)", "\\x1b[31m", "there is no such key"},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.members);
    const auto what = refusal(with_rule(row.members));
    const auto place = "/etc/umlnet/policy.json:5: rule \"r\": key \"" + std::string(row.key) + "\": ";
    CHECK_MESSAGE(what.starts_with(place), what);
    CHECK_MESSAGE(what.contains(row.what), what);
  }
}

TEST_CASE("policy: whole rules that are wrong") {
  struct Row {
    std::string_view members, message;
  };
  static constexpr Row kRows[] = {
      {R"("users": ["alice"])", "3: rule no. 1: key \"name\" is missing; give each rule its own"},
      {R"("name": "", "users": ["alice"])",
       "4: rule \"\": key \"name\": \"\" is not a name for a rule: write 1 to 64 printable ASCII characters"},
      {R"("name": 7, "users": ["alice"])", "4: rule no. 1: key \"name\": 7 is not a name for a rule"},
      {R"("name": "a\tb", "users": ["alice"])",
       "4: rule \"a\\x09b\": key \"name\": \"a\\x09b\" is not a name for a rule"},
      {R"("name": "\u00e4", "users": ["alice"])", "4: rule \"\\xc3\\xa4\": key \"name\": "},
      {R"("name": "12345678901234567890123456789012345678901234567890123456789012345", "users": ["alice"])",
       "4: rule \"1234567890123456789012345678901234567890123456789012345678901234...\": key \"name\": "},
      {R"("name": "r")", "3: rule \"r\": keys \"users\" and \"groups\" name nobody; say whom the rule speaks of"},
      {R"("name": "r", "users": [])", "3: rule \"r\": keys \"users\" and \"groups\" name nobody"},
      {R"("name": "r", "users": [], "groups": [])", "3: rule \"r\": keys \"users\" and \"groups\" name nobody"},
      {R"("name": "r", "users": ["al?ce", "al*"])",
       "4: rule \"r\": key \"users\": \"al*\" is not the name of one account"},
      {R"("name": "r", "users": "*")", "4: rule \"r\": key \"users\": \"*\" is not an array of names and numbers"},
      {R"("name": "r", "users": [4294967295])",
       "4: rule \"r\": key \"users\": 4294967295 is neither the name of a user nor a whole number from 0 to "
       "4294967294"},
      {R"("name": "r", "users": ["1001"])",
       "4: rule \"r\": key \"users\": \"1001\" is a number; write it without quotes"},
      {R"("name": "r", "effect": "deny", "users": ["ghost"])",
       "4: rule \"r\": key \"users\": \"ghost\" is not in /etc/passwd, so this deny rule would miss whom it means; "
       "write "
       "the number, or take it out"},
      {R"("name": "r", "users": ["alice", "ghost"], "effect": "deny")",
       "4: rule \"r\": key \"users\": \"ghost\" is not in"},
      {R"("name": "r", "groups": ["alice"], "effect": "deny")",
       "4: rule \"r\": key \"groups\": \"alice\" is not in /etc/group, so this deny rule would miss whom it means"},
      {R"("name": "r", "users": ["alice"]}, {"name": "r", "users": ["alice"])",
       "4: rule \"r\": key \"name\": the name is taken by the rule at /etc/umlnet/policy.json:3; give each rule its "
       "own"},
      {R"("name": "r", "users": ["alice"]}, 5, {"name": "q")",
       "4: rule no. 2: 5 is not a rule; write an object, as in {\"name\": \"uml-guests\", ...}"},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.members);
    const auto what = refusal(only_rule(row.members));
    CHECK_MESSAGE(what.starts_with("/etc/umlnet/policy.json:" + std::string(row.message)), what);
  }
}

TEST_CASE("policy: a deny rule that can match no request would deny nothing") {
  const auto text = [](const std::string& members) {
    return only_rule(R"("name": "d", "effect": "deny", "users": ["alice"])" + (members.empty() ? "" : ", " + members));
  };
  for (const std::string members :
       {R"("guests": [])", R"("gateways": [])", R"("bridges": [])", R"("lan": [])", R"("devices": [])",
        R"("operations": [])", R"("bridges": ["."])", R"("lan": [".."])", R"("devices": ["."])",
        R"("operations": ["tuntap", "address"], "guests": ["10.0.0.0/8"], "gateways": ["10.0.0.0/8"])",
        R"("operations": ["tuntap"], "bridges": ["br0"])", R"("bridges": ["br0"], "gateways": ["10.0.0.0/8"])",
        R"("bridges": ["br0"], "lan": ["eth0"])", R"("operations": ["tuntap"], "devices": ["tap*"])",
        R"("operations": ["bridge"], "guests": ["10.0.0.0/8"])", R"("operations": ["tuntap"], "lan": ["*"])",
        R"("operations": ["address"], "guests": ["fd00::/64"])"}) {
    CAPTURE(members);
    const auto what = refusal(text(members));
    CHECK_MESSAGE(what.contains("rule \"d\": it denies nothing"), what);
  }
  for (const std::string members :
       {"", R"("bridges": ["*"])", R"("lan": ["e*"])", R"("devices": ["tap*"])", R"("operations": ["open"])",
        R"("guests": ["10.0.0.0/8"], "gateways": ["10.0.0.0/8"])", R"("bridges": ["br0"], "guests": ["10.0.0.0/8"])",
        R"("bridges": ["a-name-of-more-than-15-bytes"])", R"("operations": ["open"], "guests": ["fd00::/64"])"})
    CHECK_MESSAGE(load_text(text(members)).has_value(), members);
}

TEST_CASE("policy: the top of the file") {
  struct Row {
    std::string_view text, message;
  };
  static constexpr Row kRows[] = {
      {"", ":1: it is empty"},
      {" \n\n", ":1: it is empty"},
      {"\xef\xbb\xbf{\"version\": 1, \"rules\": []}",
       ":1: it begins with a byte order mark (bytes ef bb bf); save it as UTF-8 without one"},
      {"\xff\xfe{", ":1: not JSON: "},
      {"[]", ":1: an array is not a policy; the least one is {\"version\": 1, \"rules\": []}"},
      {"\n5\n", ":2: 5 is not a policy"},
      {"null", ":1: null is not a policy"},
      {"\"\\u001b\"", ":1: \"\\x1b\" is not a policy"},
      {"{}", ":1: key \"version\" is missing; write \"version\": 1"},
      {R"({"rules": []})", ":1: key \"version\" is missing"},
      {R"({"version": 1})", ":1: key \"rules\" is missing; write \"rules\": [] for none"},
      {"{\n\"version\": 2, \"rule\": []}", ":2: key \"version\": 2 is not a version that this program knows; write 1"},
      {R"({"version": 0, "rules": []})", ":1: key \"version\": 0 is not a version"},
      {R"({"version": -1, "rules": []})", ":1: key \"version\": -1 is not a version"},
      {R"({"version": "1", "rules": []})", ":1: key \"version\": \"1\" is not a version"},
      {R"({"version": true, "rules": []})", ":1: key \"version\": true is not a version"},
      {R"({"version": 1.0, "rules": []})", ":1: key \"version\": 1.0 is not a version"},
      {R"({"version": 1e0, "rules": []})", ":1: key \"version\": 1e0 is not a version"},
      {R"({"version": 4294967297, "rules": []})", ":1: key \"version\": 4294967297 is not a version"},
      {R"({"version": [1], "rules": []})", ":1: key \"version\": an array is not a version"},
      {"{\"version\": 1, \"rules\":\n{}}", ":2: key \"rules\": an object is not an array of rules; write [] for none"},
      {R"({"version": 1, "rules": null})", ":1: key \"rules\": null is not an array of rules"},
      {"{\"version\": 1,\n\"Rules\": []}",
       ":2: key \"Rules\": there is no such key; the keys of a policy are $schema, comment, version, rules"},
      {R"({"version": 1, "comment": 5, "rules": []})", ":1: key \"comment\": 5 is not a string"},
      {R"({"version": 1, "$schema": {}, "rules": []})", ":1: key \"$schema\": an object is not a string"},
      {R"({"version": 1, "rules": [[]]})", ":1: rule no. 1: an array is not a rule"},
      {R"({"version": 1, "rules": ["a"]})", ":1: rule no. 1: \"a\" is not a rule"},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.text);
    const auto what = refusal(row.text);
    CHECK_MESSAGE(what.starts_with(kPath + std::string(row.message)), what);
  }
}

TEST_CASE("policy: where else the lines of the audit log go") {
  const auto journald = [](std::string_view members) {
    const auto policy = load_text(top(std::string(members) + "\"rules\": []"));
    REQUIRE_MESSAGE(policy.has_value(), policy.error().what);
    return policy->journald;
  };
  CHECK_FALSE(journald(""));
  CHECK_FALSE(journald("\"audit\": {},"));
  CHECK_FALSE(journald("\"audit\": {\"journald\": false},"));
  CHECK(journald("\"audit\": {\"journald\": true, \"comment\": \"for the SIEM\"},"));

  struct Case {
    std::string_view audit;
    std::string_view words;
  };
  static constexpr Case kCases[] = {
      {"true", "key \"audit\": true is not an object, as in {\"journald\": true}"},
      {"{\"journald\": 1}", "key \"audit\": key \"journald\": 1 is neither true nor false"},
      {"{\"journald\": null}", "key \"audit\": key \"journald\": null is neither true nor false"},
      {"{\"comment\": 1}", "key \"audit\": key \"comment\": 1 is not a string"},
      {"{\"file\": \"/tmp/x\"}",
       "key \"audit\": key \"file\": there is no such key; the keys of \"audit\" are comment, journald"},
  };
  for (const auto& c : kCases)
    CHECK(refusal(top("\"audit\": " + std::string(c.audit) + ",\n\"rules\": []")) ==
          std::string(kPath) + ":3: " + std::string(c.words));

  // What one file asks for, no other takes back.
  const PolicyText wants{"a", "{\"version\": 1, \"audit\": {\"journald\": true}, \"rules\": []}"};
  const PolicyText not_so{"b", "{\"version\": 1, \"audit\": {\"journald\": false}, \"rules\": []}"};
  for (const auto& files : {std::vector{wants, not_so}, std::vector{not_so, wants}})
    CHECK(load(files, accounts())->journald);
}

TEST_CASE("policy: not JSON") {
  struct Row {
    std::string_view text, message;
  };
  static constexpr Row kRows[] = {
      {"{\"version\": 1, \"rules\": []} x", ":1: not JSON"},
      {"{\"version\": 1, \"rules\": []}\n\n}", ":3: not JSON"},
      {"{\"version\": 1, \"rules\": []}{}", ":1: not JSON"},
      {"{\"version\": 1, \"rules\": []}\n\0"sv, ":2: it holds a NUL byte"},
      {"{\"version\": 1, \"rules\": []}\0garbage"sv, ":1: it holds a NUL byte"},
      {"{\"version\": 1, \"rules\": []\n, }", ":2: not JSON behind the key \"rules\": "},
      {"{\"version\": 1, \"rules\": [,]}", ":1: not JSON behind the key \"rules\": "},
      {"{\"version\": 1, \n// a comment\n\"rules\": []}", ":2: not JSON behind the key \"version\": "},
      {"{\"version\": 1, /* a comment */ \"rules\": []}", ":1: not JSON"},
      {"{'version': 1}", ":1: not JSON"},
      {"{version: 1}", ":1: not JSON"},
      {"{\"version\" 1}", ":1: not JSON"},
      {"{\"version\": 01, \"rules\": []}", ":1: not JSON behind the key \"version\": "},
      {"{\"version\": +1, \"rules\": []}", ":1: not JSON behind the key \"version\": "},
      {"{\"version\": 1., \"rules\": []}", ":1: not JSON behind the key \"version\": "},
      {"{\"version\": NaN, \"rules\": []}", ":1: not JSON behind the key \"version\": "},
      {"{\"version\":\n1e999, \"rules\": []}",
       ":2: not JSON behind the key \"version\": number overflow parsing '1e999'"},
      {"{\"version\": 1, \"comment\": \"\xff\", \"rules\": []}", ":1: not JSON behind the key \"comment\": "},
      {"{\"version\": 1, \"comment\": \"\xc0\x80\", \"rules\": []}", ":1: not JSON behind the key \"comment\": "},
      {"{\"version\": 1, \"comment\": \"\xed\xa0\x80\", \"rules\": []}", ":1: not JSON behind the key \"comment\": "},
      {"{\"version\": 1, \"comment\": \"\\ud800\", \"rules\": []}", ":1: not JSON behind the key \"comment\": "},
      {"{\"version\": 1, \"comment\": \"\\x41\", \"rules\": []}", ":1: not JSON behind the key \"comment\": "},
      {"{\"version\": 1, \"comment\": \"a\nb\", \"rules\": []}", ":1: not JSON behind the key \"comment\": "},
      {"{\"version\": 1, \"comment\":\n\"a\\u0000b\", \"rules\": []}",
       ":2: a string behind the key \"comment\" holds a NUL (\\u0000): \"a\\x00b\""},
      {"{\"version\": 1, \"a\\u0000b\": 1, \"rules\": []}", ":1: a string behind the key \"version\" holds a NUL"},
      {"{\"version\": 1, \xff", ":1: not JSON"},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.text);
    const auto what = refusal(row.text);
    CHECK_MESSAGE(what.starts_with(kPath + std::string(row.message)), what);
  }
}

TEST_CASE("policy: a key twice, at each level") {
  struct Row {
    std::string text, message;
  };
  const Row rows[] = {
      {"{\n\"version\": 1,\n\"version\": 1,\n\"rules\": []}",
       ":3: the key \"version\" stands twice in one object, first in line 2; take one of them out"},
      {"{\"rules\": [], \"version\": 1, \"rules\": []}", ":1: the key \"rules\" stands twice in one object"},
      {"{\"comment\": \"\", \"version\": 1, \"rules\": [],\n\"comment\": \"\"}",
       ":2: the key \"comment\" stands twice"},
      {"{\"version\": 1, \"\\u0076ersion\": 2, \"rules\": []}", ":1: the key \"version\" stands twice"},
      {with_rule("\"users\": [\"*\"]"), ":5: the key \"users\" stands twice in one object, first in line 4"},
      {with_rule("\"effect\": \"deny\", \"effect\": \"allow\""), ":5: the key \"effect\" stands twice"},
      {with_rule("\"x\": {\"a\": 1,\n \"a\": 2}"), ":6: the key \"a\" stands twice in one object, first in line 5"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto what = refusal(row.text);
    CHECK_MESSAGE(what.starts_with(kPath + row.message), what);
  }
}

TEST_CASE("policy: nesting") {
  const auto nested = "/etc/umlnet/policy.json:1: brackets are nested more than 4 deep";
  CHECK(refusal(std::string(60'000, '[')) == nested);
  CHECK(refusal(std::string(100'000, '[')).contains("more than 65536 bytes"));
  CHECK(refusal("[[[[[]]]]]") == nested);
  CHECK(parse_strict_json(std::string(100'000, '[')).error().what == "brackets are nested more than 4 deep");
  CHECK(refusal("[[[[]]]]").contains("an array is not a policy"));
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += "{\"a\":";
  CHECK(refusal(objects) == "/etc/umlnet/policy.json:1: brackets behind the key \"a\" are nested more than 4 deep");
  CHECK(refusal(with_rule("\"users\": []")).contains("stands twice"));
  CHECK(refusal(with_rule("\"lan\": [[]]")) ==
        "/etc/umlnet/policy.json:5: brackets behind the key \"lan\" are nested more "
        "than 4 deep");
}

TEST_CASE("policy: sizes") {
  std::string text = R"({"version": 1, "rules": []})";
  text.resize(kMaxFileSize, ' ');
  CHECK(load_text(text).has_value());
  text += ' ';
  CHECK(refusal(text) ==
        "/etc/umlnet/policy.json: the file has more than 65536 bytes; divide it into files in the "
        "directory for policy files");

  CHECK(refusal(with_rule("\"comment\": \"" + std::string(1025, 'x') + "\""))
            .starts_with(
                "/etc/umlnet/policy.json:5: a string behind the key \"comment\" has more than 1024 bytes: \"xxx"));
  CHECK(refusal(with_rule("\"" + std::string(1025, 'x') + "\": 1")).contains("has more than 1024 bytes"));
  CHECK(refusal(with_rule("\"users\": [\"" + std::string(60'000, 'x'))).size() < 300);
  CHECK(refusal(with_rule("\"max_devices\": " + std::string(60'000, '9'))).contains(":5: "));
  CHECK(refusal(with_rule("\"max_devices\": 1." + std::string(60'000, '9'))).size() < 300);
  CHECK(refusal(with_rule("\"devices\": [\"" + std::string(1024, '\x01') + "\"]")).size() < 600);

  std::string keys = "{";
  for (int i = 0; i < 33; ++i) keys += "\"k" + std::to_string(i) + "\":\n1,";
  CHECK(refusal(keys).starts_with("/etc/umlnet/policy.json:33: an object has more than 32 keys"));
}

std::vector<PolicyText> files_with_rules(std::vector<std::size_t> counts) {
  std::vector<PolicyText> files;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::string rules;
    for (std::size_t n = 0; n < counts[i]; ++n)
      rules +=
          (n == 0 ? "" : ",") + "\n{\"name\":\""s + std::to_string(i) + "-" + std::to_string(n) + "\",\"users\":[1]}";
    files.push_back({"/p/" + std::to_string(i), "{\"version\":1,\"rules\":[" + rules + "]}"});
  }
  return files;
}

TEST_CASE("policy: number of rules") {
  CHECK(load(files_with_rules({1000}), accounts())->rules.size() == 1000);
  CHECK(load(files_with_rules({500, 500}), accounts())->rules.size() == 1000);
  const auto one_file = load(files_with_rules({1001}), accounts());
  REQUIRE_FALSE(one_file.has_value());
  CHECK(one_file.error().what ==
        "/p/0:1002: rule \"0-1000\": there are more than 1000 rules in all policy files together");
  const auto two_files = load(files_with_rules({600, 401}), accounts());
  REQUIRE_FALSE(two_files.has_value());
  CHECK(two_files.error().what.starts_with("/p/1:402: rule \"1-400\": there are more than 1000 rules"));
}

TEST_CASE("policy: several files are one list, in order") {
  const PolicyText files[] = {
      {"/p/a", R"({"version": 1, "rules": [{"name": "z", "users": [1]}, {"name": "y", "users": [1]}]})"},
      {"/p/b", R"({"version": 1, "rules": []})"},
      {"/p/c", R"({"version": 1, "rules": [{"name": "x", "users": [1]}]})"},
  };
  const auto policy = load(files, accounts());
  REQUIRE(policy.has_value());
  REQUIRE(policy->rules.size() == 3);
  CHECK(policy->rules[0].name == "z");
  CHECK(policy->rules[1].name == "y");
  CHECK(policy->rules[2].name == "x");
}

TEST_CASE("policy: a name twice in two files, and one bad file among good ones") {
  const PolicyText twice[] = {
      {"/p/a", "{\"version\": 1, \"rules\": [\n{\"name\": \"same\", \"users\": [1]}]}"},
      {"/p/b", "{\"version\": 1, \"rules\": [\n\n{\"users\": [2],\n\"name\": \"same\"}]}"},
  };
  const auto same = load(twice, accounts());
  REQUIRE_FALSE(same.has_value());
  CHECK(same.error().what ==
        "/p/b:4: rule \"same\": key \"name\": the name is taken by the rule at /p/a:2; give each rule its own");

  for (std::size_t bad = 0; bad < 3; ++bad) {
    std::vector<PolicyText> files = {{"/p/0", R"({"version": 1, "rules": []})"},
                                     {"/p/1", R"({"version": 1, "rules": []})"},
                                     {"/p/2", R"({"version": 1, "rules": []})"}};
    files[bad].text = "";
    const auto policy = load(files, accounts());
    REQUIRE_FALSE(policy.has_value());
    CHECK(policy.error().what == "/p/" + std::to_string(bad) + ":1: it is empty");
  }
}

TEST_CASE("policy: a path with other bytes is escaped") {
  const PolicyText file{"/p/\x1b[2J\n.json", ""};
  const auto policy = load({&file, 1}, accounts());
  REQUIRE_FALSE(policy.has_value());
  CHECK(policy.error().what == "/p/\\x1b[2J\\x0a.json:1: it is empty");
}

TEST_CASE("policy: lines are those of the file, whatever ends them and whatever stands there") {
  const auto line_of = [](const std::string& text) {
    return refusal(text).substr(0, std::size(std::string_view(kPath)) + 3);
  };
  CHECK(line_of("{\r\n\"version\": 1,\r\n\"rules\": [{\"name\": \"r\",\r\n\"max_devices\": 99999\r\n}]}") ==
        kPath + ":4:"s);
  CHECK(line_of("{\"version\":\n\n\n2\n\n,\"rules\":[]}") == kPath + ":4:"s);
  CHECK(line_of("{\"version\":\n\n\n\"2\"\n\n,\"rules\":[]}") == kPath + ":4:"s);
  CHECK(line_of("{\"version\":\n\n\ntrue\n\n,\"rules\":[]}") == kPath + ":4:"s);
  CHECK(line_of("{\"version\":\n\n\n[\n]\n,\"rules\":[]}") == kPath + ":4:"s);
  CHECK(line_of(with_rule("\"lan\": [\n\"a\",\n\"b\",\n\"/\",\n\"c\"]")) == kPath + ":8:"s);
}

TEST_CASE("policy: cut off at any byte, it does not load") {
  for (std::size_t size = 0; size < kFull.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(load_text(kFull.substr(0, size)).has_value());
  }
}

TEST_CASE("policy: with any byte replaced, it loads or says why not") {
  for (std::size_t at = 0; at < kFull.size(); ++at)
    for (const char byte : {'\0', '\n', '"', '\\', '0', '-', ',', '[', '{', '}', '\x7f', '\x80', '\xff'}) {
      std::string text(kFull);
      text[at] = byte;
      if (const auto policy = load_text(text); !policy) {
        CHECK(policy.error().code == Code::bad_policy);
        CHECK(policy.error().what.starts_with(kPath));
      }
    }
}

TEST_CASE("policy: the examples load") {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(UMLNET_SOURCE_ROOT "/policy/examples")) {
    if (entry.path().extension() != ".json") continue;
    ++count;
    std::ifstream stream(entry.path(), std::ios::binary);
    const PolicyText file{entry.path().string(), {std::istreambuf_iterator<char>(stream), {}}};
    // On a host that has none of the accounts, too.
    const auto policy = load({&file, 1}, Accounts());
    REQUIRE_MESSAGE(policy.has_value(), policy.error().what);
    CHECK_FALSE(policy->rules.empty());
  }
  CHECK(count >= 4);
}

}  // namespace
}  // namespace umlnet::policy
