#include <doctest/doctest.h>

#include "fake_host.h"
#include "policy/decide.h"
#include "policy/loader/load.h"

using namespace umlnet;
using namespace umlnet::test;
using policy::decide;

namespace {

policy::Policy rules(const std::string& list) {
  const policy::PolicyText text{"test.json", R"({"version": 1, "rules": [)" + list + "]}"};
  auto policy = policy::load(std::span(&text, 1), policy::Accounts("alice:x:1001:1001::/:/bin/sh\n", "lab:x:500:\n"));
  REQUIRE_MESSAGE(policy.has_value(), (policy ? "" : policy.error().text()));
  return *policy;
}

const std::string kAlice = R"({"name": "alice", "users": ["alice"], "operations": ["tuntap", "address"],
  "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16", "10.50.0.0/24", "127.0.0.0/8", "0.0.0.0/8", "224.0.0.0/3",
  "169.0.0.0/8", "169.254.128.0/17"], "lan": ["eth0"], "max_devices": 2, "max_addresses": 2})";

}  // namespace

TEST_CASE("decide: who gets a tap, by which rule, and with what reason") {
  struct Case {
    std::string rules;
    uid_t uid;
    std::vector<gid_t> groups;
    std::optional<Ipv4> gateway;
    bool granted;
    std::string rule;
    std::string reason;  // a part of it
  };
  const std::string deny_lab = R"({"name": "no-lab", "effect": "deny", "groups": ["lab"]}, )";
  const std::string all_but = R"({"name": "no-98", "effect": "deny", "users": ["*"], "gateways": ["10.98.0.0/16"]},
    {"name": "all", "users": ["*"], "operations": ["tuntap"], "gateways": ["10.0.0.0/8"]})";
  const Case cases[] = {
      {kAlice, 1001, {}, ip("10.99.0.254"), true, "alice", "rule alice allows tuntap"},
      {kAlice, 1001, {}, std::nullopt, true, "alice", ""},
      {kAlice,
       1001,
       {},
       ip("192.168.1.1"),
       false,
       "alice",
       "rule alice allows this but for gateway 192.168.1.1: not in 10.99.0.0/16"},
      {kAlice, 1002, {}, ip("10.99.0.254"), false, "", "no rule of the policy speaks of uid 1002"},
      {kAlice, 0, {}, ip("192.168.1.1"), true, "", "real uid 0 needs no rule"},
      {deny_lab + kAlice, 1001, {500}, ip("10.99.0.254"), false, "no-lab", "rule no-lab denies this"},
      {deny_lab + kAlice, 0, {500}, ip("10.99.0.254"), false, "no-lab", "rule no-lab denies this"},
      {deny_lab + kAlice, 1001, {501}, ip("10.99.0.254"), true, "alice", ""},
      {all_but, 7, {}, ip("10.1.0.1"), true, "all", ""},
      {all_but, 7, {}, ip("10.98.0.1"), false, "no-98", "denies"},
      {all_but, 0, {}, ip("10.98.0.1"), false, "no-98", "denies"},
      {R"({"name": "a", "users": [7], "operations": ["address"]})",
       7,
       {},
       {},
       false,
       "a",
       "rule a does not allow the operation tuntap"},
      {R"({"name": "a", "users": [7], "operations": ["tuntap"]})",
       7,
       {},
       ip("10.1.0.1"),
       false,
       "a",
       "the rule lists no gateways"},
      {R"({"name": "a", "users": [7]})", 7, {}, {}, false, "a", "does not allow the operation"},
      // The rule that got further is the nearer miss, wherever it stands.
      {R"({"name": "near", "users": [7], "operations": ["tuntap"], "gateways": ["10.2.0.0/16"]},
          {"name": "far", "users": [7], "operations": ["bridge"]})",
       7,
       {},
       ip("10.1.0.1"),
       false,
       "near",
       "not in 10.2.0.0/16"},
      {R"({"name": "g", "groups": ["lab"], "operations": ["tuntap"]})", 7, {1, 500}, {}, true, "g", ""},
      {"", 7, {}, {}, false, "", "no rule of the policy speaks of uid 7"},
  };
  for (const auto& c : cases) {
    const auto decision = decide(rules(c.rules), caller(c.uid, c.groups), MakeTap{c.gateway}, small_host());
    CAPTURE(c.rules);
    CAPTURE(c.uid);
    REQUIRE(decision.has_value() == c.granted);
    const auto& rule = decision ? decision->rule() : decision.error().rule;
    const auto& reason = decision ? decision->reason() : decision.error().error.what;
    CHECK(rule == c.rule);
    CHECK_MESSAGE(reason.find(c.reason) != std::string::npos, reason);
  }
}

TEST_CASE("decide: who may put a device on which bridge") {
  struct Case {
    std::string rules;
    uid_t uid;
    const char* bridge;
    bool granted;
    std::string rule;
    std::string reason;  // a part of it
  };
  const std::string machines = R"({"name": "m", "users": [1001], "operations": ["bridge"], "bridges": ["br0", "gone",
    "eth0"], "max_devices": 2})";
  const std::string deny = R"({"name": "d", "effect": "deny", "users": ["*"], "bridges": ["br1"]}, )";
  const Case cases[] = {
      {machines, 1001, "br0", true, "m", "rule m allows bridge"},
      // In the same words whether it is there or not.
      {machines, 1001, "br1", false, "m", "rule m allows this but for bridge br1: not in br0, gone, eth0"},
      {machines, 1001, "br9", false, "m", "rule m allows this but for bridge br9: not in br0, gone, eth0"},
      {machines, 1001, "tap0", false, "m", "rule m allows this but for bridge tap0: not in br0, gone, eth0"},
      {machines, 1001, "gone", false, "m", "there is no bridge gone on this host"},
      {machines, 1001, "eth0", false, "m", "the device eth0 is not a bridge"},
      {machines, 1002, "br0", false, "", "no rule of the policy speaks of uid 1002"},
      {kAlice, 1001, "br0", false, "alice", "rule alice does not allow the operation bridge"},
      {R"({"name": "m", "users": [7], "operations": ["bridge"], "bridges": ["br*"]})", 7, "br0", true, "m", ""},
      {R"({"name": "m", "users": [7], "operations": ["bridge"], "bridges": ["br[1-9]"]})", 7, "br0", false, "m",
       "not in br[1-9]"},
      // By each of its names.
      {machines, 1001, "guests", true, "m", ""},
      {R"({"name": "m", "users": [7], "operations": ["bridge"], "bridges": ["gue*"]})", 7, "br0", true, "m", ""},
      {R"({"name": "m", "users": [7], "operations": ["bridge"], "bridges": ["gue*"]})", 7, "br1", false, "m",
       "not in gue*"},
      {R"({"name": "d", "effect": "deny", "users": ["*"], "bridges": ["guests"]}, )" + machines, 1001, "br0", false,
       "d", "denies"},
      {R"({"name": "d", "effect": "deny", "users": ["*"], "bridges": ["br0"]}, )" + machines, 1001, "guests", false,
       "d", "denies"},
      {R"({"name": "d", "effect": "deny", "users": ["*"], "bridges": ["*"]}, )" + machines, 1001, "br0", false, "d",
       "denies"},
      {R"({"name": "d", "effect": "deny", "users": ["*"], "bridges": ["br*"]}, )" + machines, 0, "br1", false, "d",
       "denies"},
      {R"({"name": "m", "users": [7], "operations": ["bridge"]})", 7, "br0", false, "m", "the rule lists no bridges"},
      {R"({"name": "m", "users": [7], "operations": ["bridge"], "bridges": []})", 7, "br0", false, "m",
       "the rule lists no bridges"},
      {R"({"name": "m", "users": [7], "operations": ["bridge"], "bridges": ["br0"], "max_devices": 0})", 7, "br0",
       false, "m", "max_devices 0: 0 in use"},
      {R"({"name": "m", "users": [1001], "operations": ["bridge"], "bridges": ["br0"], "max_devices": 1})", 1001, "br0",
       false, "m", "max_devices 1: 1 in use"},
      {"", 0, "br1", true, "", "real uid 0 needs no rule"},
      {"", 0, "br9", false, "", "there is no bridge br9 on this host"},
      {"", 0, "eth0", false, "", "the device eth0 is not a bridge"},
      {deny + machines, 1001, "br0", true, "m", ""},
      {deny + machines, 1001, "br1", false, "d", "rule d denies this"},
      {deny + machines, 0, "br1", false, "d", "rule d denies this"},
      {deny + machines, 0, "br9", false, "", "there is no bridge br9"},
      {R"({"name": "d", "effect": "deny", "users": ["*"], "operations": ["bridge"]}, )" + machines, 1001, "br0", false,
       "d", "denies"},
      {R"({"name": "d", "effect": "deny", "users": ["*"], "operations": ["tuntap"]}, )" + machines, 1001, "br0", true,
       "m", ""},
  };
  auto host = small_host();
  host.links.push_back(bridge(7, "br0"));
  host.links.back().alternative_names = {"a-name-of-more-than-15-bytes", "guests"};
  host.links.push_back(bridge(8, "br1"));
  for (const auto& c : cases) {
    CAPTURE(c.rules);
    CAPTURE(c.bridge);
    const auto decision = decide(rules(c.rules), caller(c.uid), bridged(c.bridge), host);
    REQUIRE(decision.has_value() == c.granted);
    CHECK((decision ? decision->rule() : decision.error().rule) == c.rule);
    const auto& reason = decision ? decision->reason() : decision.error().error.what;
    CHECK_MESSAGE(reason.find(c.reason) != std::string::npos, reason);
  }
  CHECK(policy::counts_against_limits(bridged("br0")));
  CHECK(!decide({}, caller(1001), bridged("br0"), host));
}

TEST_CASE("decide: without any policy file only root may, and the others are told where it belongs") {
  CHECK(decide({}, caller(0), MakeTap{}, small_host()));
  const auto denied = decide({}, caller(1001), MakeTap{}, small_host());
  REQUIRE(!denied);
  CHECK(denied.error().error.what == "there is no policy on this host, so only root may use uml_net");
  CHECK(denied.error().error.advice.find("policy.json") != std::string::npos);
}

TEST_CASE("decide: a gateway that no host can have is refused to root too") {
  for (const auto* gateway : {"127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"}) {
    const auto decision = decide({}, caller(0), MakeTap{ip(gateway)}, small_host());
    REQUIRE_MESSAGE(!decision, gateway);
    CHECK(decision.error().error.code == Code::bad_value);
  }
}

TEST_CASE("decide: limits count the kernel's own state") {
  auto host = small_host();
  const auto policy = rules(kAlice);
  CHECK(decide(policy, caller(1001), MakeTap{}, host));
  host.links.push_back(tap(4, "tap1", 1002));
  CHECK(decide(policy, caller(1001), MakeTap{}, host));
  host.links.push_back(tap(5, "tap2", 1001));
  const auto devices = decide(policy, caller(1001), MakeTap{}, host);
  REQUIRE(!devices);
  CHECK(devices.error().error.what == "rule alice allows this but for max_devices 2: 2 in use");

  host.routes.push_back(guest_route("10.99.1.1", 3));
  CHECK(decide(policy, caller(1001), add("tap0", "10.99.1.2"), host));
  host.routes.push_back(guest_route("10.99.1.2", 5));
  const auto addresses = decide(policy, caller(1001), add("tap0", "10.99.1.3"), host);
  REQUIRE(!addresses);
  CHECK(addresses.error().error.what == "rule alice allows this but for max_addresses 2: 2 in use");
  CHECK_MESSAGE(decide(policy, caller(1001), add("tap0", "10.99.1.1"), host), "an address that is there counts once");
  CHECK_MESSAGE(decide(policy, caller(1001), del("tap0", "10.99.1.1"), host), "taking back is never over a limit");
}

TEST_CASE("decide: a device that was given to another uid counts against its maker, and is nobody's to use") {
  auto host = small_host();
  const auto policy = rules(kAlice);
  host.links.push_back(tap(5, "tap2", 1001));
  host.links.back().tun_owner = 1002;
  host.routes.push_back(guest_route("10.99.1.1", 5));
  CHECK((host.devices_of(1001) == 2 && host.devices_of(1002) == 0));
  CHECK((host.addresses_of(1001) == 1 && host.addresses_of(1002) == 0));
  CHECK(!decide(policy, caller(1001), MakeTap{}, host));
  CHECK(decide(policy, caller(1001), add("tap2", "10.99.1.2"), host).error().error.code == Code::no_such_device);
}

TEST_CASE("counts_against_limits: what adds to what its caller holds") {
  CHECK((policy::counts_against_limits(MakeTap{}) && policy::counts_against_limits(add("tap0", "10.99.1.1"))));
  CHECK((!policy::counts_against_limits(del("tap0", "10.99.1.1")) && !policy::counts_against_limits(CollectGarbage{})));
}

TEST_CASE("decide: addresses that no guest but root's may take") {
  auto host = small_host();
  host.links.push_back(tap(4, "tap1", 1001));
  host.routes.push_back(guest_route("10.50.0.9", 4));
  struct Case {
    const char* address;
    const char* why;
  };
  const Case cases[] = {
      {"10.50.0.1", "the host's own address on eth0"},
      {"10.99.0.254", "the host's own address on tap0"},
      {"10.50.0.254", "the host's gateway on eth0"},
      {"10.50.0.255", "the broadcast address of eth0"},
      {"10.50.0.0", "the network address of eth0"},
      {"10.50.0.9", "already routed to another device"},
      {"127.0.0.1", "loopback"},
      {"0.0.0.1", "this network"},
      {"224.0.0.5", "multicast"},
      {"250.0.0.1", "reserved"},
      {"255.255.255.255", "reserved"},
      {"169.254.3.3", "it is link-local, and guests lists no range within 169.254.0.0/16 that holds it"},
      {"169.254.169.254", "metadata"},
      {"169.254.170.2", "metadata"},
  };
  for (const auto& c : cases) {
    const auto decision = decide(rules(kAlice), caller(1001), add("tap0", c.address), host);
    REQUIRE_MESSAGE(!decision, c.address);
    CHECK_MESSAGE(decision.error().error.what.find(c.why) != std::string::npos, decision.error().error.what);
    CHECK_MESSAGE(decide({}, caller(0), add("tap0", c.address), host), "root may: ", c.address);
  }
  for (const auto* address : {"10.50.0.7", "169.254.171.1"})
    CHECK_MESSAGE(decide(rules(kAlice), caller(1001), add("tap0", address), host), address);
}

TEST_CASE("decide: a link-local gateway takes a range of its own") {
  const auto with = [](const char* gateways) {
    return rules(R"({"name": "r", "users": [1001], "operations": ["tuntap", "open"], "gateways": [)" +
                 std::string(gateways) + "]}");
  };
  const auto answer = [](const policy::Policy& policy, const IpInterface& address) -> std::string {
    const auto decision = decide(policy, caller(1001), OpenInterface{.addresses = {address}}, small_host());
    return decision ? "" : decision.error().error.what;
  };
  const auto one = *IpInterface::parse("169.254.1.1/32"), network = *IpInterface::parse("169.254.1.1/30");
  for (const auto* own : {R"("169.254.1.1")", R"("0.0.0.0/0", "169.254.0.0/16")"}) {
    CHECK(answer(with(own), one).empty());
    CHECK(decide(with(own), caller(1001), MakeTap{ip("169.254.1.1")}, small_host()));
  }
  CHECK(answer(with(R"("169.254.1.0/24")"), network).empty());
  for (const auto* wide : {R"("0.0.0.0/0")", R"("169.0.0.0/8", "169.254.2.0/24")"})
    CHECK(answer(with(wide), one) ==
          "rule r allows this but for address 169.254.1.1/32: it is link-local, and gateways lists no range within "
          "169.254.0.0/16 that holds it");
  CHECK(answer(with(R"("0.0.0.0/0", "169.254.0.0/16")"), *IpInterface::parse("169.1.0.1/8"))
            .contains("it is link-local"));
  CHECK(answer(with(R"("10.0.0.0/8")"), one).ends_with("address 169.254.1.1/32: not in 10.0.0.0/8"));
  const std::string metadata = " would take what the host sends to a cloud's metadata service";
  for (const auto& [address, named] : {std::pair{"169.254.169.254/32", "169.254.169.254"},
                                       {"169.254.170.2/32", "169.254.170.2"},
                                       {"169.254.168.1/22", "169.254.168.1/22"},
                                       {"169.254.1.1/16", "169.254.1.1/16"}})
    CHECK(answer(with(R"("169.254.0.0/16")"), *IpInterface::parse(address)) ==
          "address " + std::string(named) + metadata);
  CHECK(decide({}, caller(0), OpenInterface{.addresses = {network}}, small_host()));
}

TEST_CASE("decide: a gateway that would take somebody's address") {
  auto host = small_host();
  host.links.push_back(tap(4, "tap1", 1002));
  host.routes.push_back(guest_route("10.50.0.9", 4));
  const auto all = rules(R"({"name": "all", "users": ["*"], "operations": ["tuntap"], "gateways": ["10.0.0.0/8"]})");
  for (const auto& [gateway, why] : {std::pair{"10.50.0.9", "already routed to another device"},
                                     {"10.50.0.254", "the host's gateway on eth0"},
                                     {"10.50.0.255", "the broadcast address of eth0"},
                                     {"10.50.0.0", "the network address of eth0"}}) {
    const auto decision = decide(all, caller(1001), MakeTap{ip(gateway)}, host);
    REQUIRE_MESSAGE(!decision, gateway);
    CHECK(decision.error().error.code == Code::conflict);
    CHECK(decision.error().error.what == "gateway " + std::string(gateway) + " is " + why);
    CHECK_MESSAGE(decide({}, caller(0), MakeTap{ip(gateway)}, host), "root may: ", gateway);
  }
  for (const auto* gateway : {"10.50.0.1", "10.99.0.254"})
    CHECK_MESSAGE(decide(all, caller(1001), MakeTap{ip(gateway)}, host), "the host's already: ", gateway);
}

TEST_CASE("decide: another's device, no TAP, not ours and no device at all are answered with the same words") {
  auto host = small_host();
  host.links.push_back(tap(4, "tap1", 1002));
  host.links.push_back(tap(5, "tap2", 1001));
  host.links.back().alias = "";  // somebody's TAP, not this toolkit's
  host.links.push_back(tap(6, "tap3", 1001));
  host.links.back().tun_owner = 1002;  // its holder gave it away
  host.links.push_back(tap(7, "tap4", 1001));
  host.links.back().tap = false;  // TUN
  for (const bool adding : {true, false}) {
    for (const std::string name : {"tap1", "tap2", "tap3", "tap4", "eth0", "lo", "tap9"}) {
      const Request request =
          adding ? Request(add(name.c_str(), "10.99.1.1")) : Request(del(name.c_str(), "10.99.1.1"));
      const auto decision = decide(rules(kAlice), caller(1001), request, host);
      REQUIRE_MESSAGE(!decision, name);
      CHECK(decision.error().error.code == Code::no_such_device);
      CHECK(decision.error().error.what == "there is no device " + name + " that uml_net made for you");
    }
  }
  CHECK_MESSAGE(decide({}, caller(0), add("tap1", "10.99.1.1"), host), "root may use everybody's");
  CHECK_MESSAGE(!decide({}, caller(0), add("eth0", "10.99.1.1"), host), "but nothing that is not ours");
}

TEST_CASE("decide: the LANs that a grant opens are the rule's; all for root without a rule") {
  const auto alice = decide(rules(kAlice), caller(1001), add("tap0", "10.50.0.7"), small_host());
  REQUIRE(alice);
  CHECK(alice->may_publish_on(lan(2, "eth0")));
  CHECK(!alice->may_publish_on(lan(2, "eth1")));
  const auto root = decide({}, caller(0), add("tap0", "10.50.0.7"), small_host());
  REQUIRE(root);
  CHECK(root->may_publish_on(lan(2, "eth1")));
  // By patterns, and by alternative names.
  const auto wide = decide(rules(R"({"name": "w", "users": [1001], "operations": ["address"], "guests": ["10.0.0.0/8"],
                                 "lan": ["e*0", "lan-of-the-house"]})"),
                           caller(1001), add("tap0", "10.50.0.7"), small_host());
  REQUIRE(wide);
  auto named = lan(2, "enp7s0");
  CHECK(wide->may_publish_on(named));
  named.name = "eth1";
  CHECK(!wide->may_publish_on(named));
  named.alternative_names = {"lan-of-the-house"};
  CHECK(wide->may_publish_on(named));
}

TEST_CASE("decide: deny rules narrowed by guests, devices and lan") {
  const auto denies = [&](const std::string& narrowing, const Request& request) {
    const std::string deny = R"({"name": "d", "effect": "deny", "users": ["*"])" + narrowing + "}, ";
    const auto decision = decide(rules(deny + kAlice), caller(1001), request, small_host());
    return !decision && decision.error().rule == "d";
  };
  const auto request = add("tap0", "10.50.0.7");
  CHECK(denies("", request));
  CHECK(denies(R"(, "guests": ["10.50.0.0/24"])", request));
  CHECK(!denies(R"(, "guests": ["10.51.0.0/24"])", request));
  CHECK(denies(R"(, "devices": ["tap*"])", request));
  CHECK(!denies(R"(, "devices": ["uml*"])", request));
  CHECK(denies(R"(, "lan": ["eth0"])", request));
  CHECK(!denies(R"(, "lan": ["eth1"])", request));
  CHECK(denies(R"(, "lan": ["e*"])", request));
  CHECK(denies(R"(, "lan": ["*"])", request));
  CHECK(denies(R"(, "lan": ["[a-z]*[0-9]"])", request));
  CHECK(!denies(R"(, "lan": ["wan*"])", request));
  CHECK(!denies(R"(, "operations": ["bridge"])", request));
  CHECK(!denies(R"(, "gateways": ["0.0.0.0/0"])", request));
  CHECK(denies("", MakeTap{}));
  CHECK(!denies(R"(, "gateways": ["0.0.0.0/0"])", MakeTap{}));
}

TEST_CASE("answers_of: what each rule makes of a request, whichever of them decides") {
  using policy::RuleVerdict;
  struct Case {
    const char* rule;  // without its name and its callers
    Request request;
    RuleVerdict says;
    const char* why;
  };
  const Request tap = MakeTap{ip("10.99.0.1")}, bare = MakeTap{}, address = add("tap0", "10.50.0.7");
  const Request port = bridged("br0");
  const Request ether = OpenEthertap{*IfName::parse("uml0"), std::nullopt};
  const Case cases[] = {
      {R"("operations": ["address"])", tap, RuleVerdict::lacks_operation, ""},
      {R"("operations": ["tuntap"])", tap, RuleVerdict::lacks_value, "gateway 10.99.0.1: the rule lists no gateways"},
      {R"("operations": ["tuntap"], "max_devices": 1)", bare, RuleVerdict::lacks_room, "max_devices 1: 1 in use"},
      {R"("operations": ["tuntap"])", bare, RuleVerdict::grants, ""},
      {R"("operations": ["ethertap"], "devices": ["tap*"])", ether, RuleVerdict::lacks_value,
       "device uml0: not in tap*"},
      {R"("effect": "deny")", tap, RuleVerdict::denies, ""},
      {R"("effect": "deny", "operations": ["open"])", tap, RuleVerdict::does_not_match,
       "it denies other operations than tuntap"},
      {R"("effect": "deny", "bridges": ["br0"])", tap, RuleVerdict::does_not_match, "the request names none"},
      {R"("effect": "deny", "guests": ["10.0.0.0/8"])", tap, RuleVerdict::does_not_match, "it denies guest addresses"},
      {R"("effect": "deny", "devices": ["tap*"])", tap, RuleVerdict::does_not_match, "the kernel chooses"},
      {R"("effect": "deny", "devices": ["tap*"])", ether, RuleVerdict::does_not_match, "device uml0 is not in tap*"},
      {R"("effect": "deny", "gateways": ["10.98.0.0/16"])", tap, RuleVerdict::does_not_match,
       "gateway 10.99.0.1 is not in 10.98.0.0/16"},
      {R"("effect": "deny", "gateways": ["10.98.0.0/16"])", bare, RuleVerdict::does_not_match, "it denies gateways"},
      {R"("effect": "deny", "gateways": ["10.98.0.0/16"])", address, RuleVerdict::does_not_match, "it denies gateways"},
      {R"("effect": "deny", "guests": ["10.51.0.0/16"])", address, RuleVerdict::does_not_match,
       "guest address 10.50.0.7 is not in 10.51.0.0/16"},
      {R"("effect": "deny", "devices": ["uml*"])", address, RuleVerdict::does_not_match, "device tap0 is not in uml*"},
      {R"("effect": "deny", "lan": ["eth9"])", address, RuleVerdict::does_not_match, "is not in the LAN of eth9"},
      {R"("effect": "deny", "lan": ["eth0"])", address, RuleVerdict::denies, ""},
      {R"("operations": ["bridge"])", port, RuleVerdict::lacks_value, "bridge br0: the rule lists no bridges"},
      {R"("operations": ["bridge"], "bridges": ["br1", "br2"])", port, RuleVerdict::lacks_value,
       "bridge br0: not in br1, br2"},
      {R"("operations": ["bridge"], "bridges": ["br0"])", port, RuleVerdict::grants, ""},
      {R"("effect": "deny", "bridges": ["br1"])", port, RuleVerdict::does_not_match, "bridge br0 is not in br1"},
      {R"("effect": "deny", "bridges": ["br1", "br0"])", port, RuleVerdict::denies, ""},
      {R"("effect": "deny", "bridges": ["br0"])", address, RuleVerdict::does_not_match, "the request names none"},
      {R"("effect": "deny", "devices": ["tap*"])", port, RuleVerdict::does_not_match, "the kernel chooses"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.rule);
    const std::string more = std::string(", ") + c.rule + "}";
    const auto policy = rules(R"({"name": "r", "users": ["alice"])" + more + R"(, {"name": "s", "users": [7])" + more);
    const auto answers = policy::answers_of(policy, caller(1001), c.request, small_host());
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].says == c.says);
    CHECK_MESSAGE(answers[0].why.find(c.why) != std::string::npos, answers[0].why);
    CHECK(answers[1].says == RuleVerdict::nothing);
  }
}

TEST_CASE("decide: collecting garbage needs no rule") {
  CHECK(decide({}, caller(65534), CollectGarbage{}, small_host()));
}

TEST_CASE("lans_of: the routes that share the address's network under the netmask") {
  auto host = small_host();
  host.links.push_back(lan(8, "eth1"));
  host.routes.push_back(route("10.51.0.0", 16, 8));
  const auto names = [&](const char* address, const char* mask) {
    std::string text;
    for (const auto* link : policy::lans_of(host, ip(address), *Ipv4Mask::parse(mask))) text += link->name + " ";
    return text;
  };
  CHECK(names("10.50.0.7", "255.255.255.0") == "eth0 ");
  CHECK(names("10.50.0.7", "255.255.255.128") == "eth0 ");
  CHECK(names("10.50.0.7", "255.255.255.255") == "");
  CHECK(names("10.51.3.7", "255.255.255.0") == "");
  CHECK(names("10.51.3.7", "255.255.0.0") == "eth1 ");
  CHECK(names("10.50.0.7", "255.0.0.0") == "eth0 eth1 ");
  CHECK(names("192.168.0.1", "0.0.0.0") == "eth0 eth1 ");
}
