// What policy makes of the native protocol's requests, each written in that protocol's own words.
#include <doctest/doctest.h>

#include <sstream>

#include "fake_host.h"
#include "libumlnet/core/native5_arguments.h"
#include "policy/decide.h"
#include "policy/loader/load.h"
#include "policy/quota_usage.h"

using namespace umlnet;
using namespace umlnet::test;
using policy::decide;

namespace {

Ipv6 ip6(const char* text) { return *Ipv6::parse(text); }

policy::Policy rules(const std::string& list) {
  const policy::PolicyText text{"test.json", R"({"version": 1, "rules": [)" + list + "]}"};
  auto policy = policy::load(std::span(&text, 1), policy::Accounts("alice:x:1001:1001::/:/bin/sh\n", "lab:x:500:\n"));
  REQUIRE_MESSAGE(policy.has_value(), (policy ? "" : policy.error().text()));
  return *policy;
}

// A rule for uid 1001 that allows `open`, with more keys.
policy::Policy rule(const std::string& keys) {
  return rules(R"({"name": "r", "users": [1001], "operations": ["open"])" + (keys.empty() ? "" : ", " + keys) + "}");
}

Request asked(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words == std::vector<std::string>{"session"}) return OpenSession{};
  auto request = native5::parse_record(native5::to_record(words));
  REQUIRE_MESSAGE(request.has_value(), line, ": ", (request ? "" : request.error().text()));
  return *request;
}

// small_host() with eth0's side of IPv6, and a bridge.
policy::HostState host_of_both() {
  auto host = small_host();
  host.links.push_back(bridge(7, "br0"));
  host.links.back().mac = MacAddress({0x52, 0x54, 0, 0, 0, 1});
  host.links.push_back(lan(8, "eth1"));
  host.ipv6_addresses = {{2, ip6("fd00:50::1"), 64, false}, {2, ip6("fe80::1"), 64, true}};
  host.ipv6_routes = {{ip6("fd00:50::"), 64, 2, std::nullopt, 2},
                      {ip6("fe80::"), 64, 2, std::nullopt, 2},
                      {Ipv6(), 0, 2, ip6("fd00:50::fe"), 2}};
  return host;
}

struct Case {
  std::string keys;  // of the rule
  std::string words;
  std::string miss;  // what stands behind "rule r allows this but for"; empty: granted
};

void check(const std::vector<Case>& cases, const policy::HostState& host) {
  for (const auto& c : cases) {
    CAPTURE(c.keys);
    CAPTURE(c.words);
    const auto decision = decide(rule(c.keys), caller(1001), asked(c.words), host);
    REQUIRE_MESSAGE(decision.has_value() == c.miss.empty(), (decision ? "" : decision.error().error.what));
    CHECK((decision ? decision->rule() : decision.error().rule) == "r");
    if (decision)
      CHECK(decision->reason() == "rule r allows open");
    else
      CHECK(decision.error().error.what == "rule r allows this but for " + c.miss);
    if (!decision) CHECK(decision.error().error.code == Code::denied);
    CHECK_MESSAGE(decide({}, caller(0), asked(c.words), host), "root needs no rule");
  }
}

}  // namespace

TEST_CASE("decide open: each option is granted by its key, and by the default without it") {
  check(
      {
          {"", "open", ""},
          {"", "open device=vm7", "device vm7: the rule lists no devices"},
          {R"("devices": ["tap*"])", "open device=vm7", "device vm7: not in tap*"},
          {R"("devices": ["tap*", "vm[0-9]"])", "open device=vm7", ""},
          {R"("devices": ["vm*"])", "open", ""},

          {"", "open address=10.98.0.1", "address 10.98.0.1/32: the rule lists no gateways"},
          {R"("gateways": ["10.99.0.0/16"])", "open address=10.98.0.1", "address 10.98.0.1/32: not in 10.99.0.0/16"},
          {R"("gateways": ["10.98.0.0/24"])", "open address=10.98.0.1", ""},
          {R"("gateways": ["10.98.0.0/24"])", "open address=10.98.0.1/24", ""},
          {R"("gateways": ["10.98.0.0/24", "10.98.1.0/24"])", "open address=10.98.0.1/23",
           "address 10.98.0.1/23: not in 10.98.0.0/24, 10.98.1.0/24"},
          {R"("gateways": ["10.98.0.0/16"])", "open address=fd00:98::1", "address fd00:98::1/128: not in 10.98.0.0/16"},
          {R"("gateways": ["10.98.0.0/16", "fd00:98::/64"])", "open address=fd00:98::1/64 address=10.98.0.1/24", ""},
          {R"("gateways": ["10.98.0.0/16", "fd00:98::/64"])", "open address=10.98.0.1 address=fd00:97::1/64",
           "address fd00:97::1/64: not in 10.98.0.0/16, fd00:98::/64"},

          {"", "open guest=10.50.0.7", "guest address 10.50.0.7: the rule lists no guests"},
          {R"("guests": ["10.50.0.0/24"])", "open guest=10.50.0.7 guest=10.51.0.7",
           "guest address 10.51.0.7: not in 10.50.0.0/24"},
          {R"("guests": ["10.50.0.0/24"])", "open guest=10.50.0.7 guest=10.50.0.8", ""},
          {R"("guests": ["fd00:50::/120"])", "open guest=fd00:50::7", ""},
          {R"("guests": ["fd00:50::/120"])", "open guest=fd00:50::1:7",
           "guest address fd00:50::1:7: not in fd00:50::/120"},
          {R"("guests": ["0.0.0.0/0"])", "open guest=fd00:50::7", "guest address fd00:50::7: not in 0.0.0.0/0"},

          {"", "open bridge=br0", "bridge br0: the rule lists no bridges"},
          {R"("bridges": ["br1"])", "open bridge=br0", "bridge br0: not in br1"},
          {R"("bridges": ["br0"])", "open bridge=br0", ""},
          {R"("bridges": ["br0"])", "open bridge=br0 isolated", ""},
          {R"("bridges": ["br0"])", "open bridge=br0 guest=10.50.0.7",
           "guest address 10.50.0.7: the rule lists no guests"},
          {R"("bridges": ["br0"], "isolated": true)", "open bridge=br0",
           "isolated: the rule wants isolated ports of bridges only; add isolated"},
          {R"("bridges": ["br0"], "isolated": true)", "open bridge=br0 isolated", ""},
          {R"("bridges": ["br0"], "isolated": true)", "open", ""},

          {"", "open mtu=1500", ""},
          {"", "open mtu=1501", "mtu 1501: the rule's max_mtu is 1500"},
          {R"("max_mtu": 9000)", "open mtu=9000", ""},
          {R"("max_mtu": 9000)", "open mtu=9001", "mtu 9001: the rule's max_mtu is 9000"},
          {R"("max_mtu": 1400)", "open", "mtu 1500: the rule's max_mtu is 1400"},
          {R"("max_mtu": 1400)", "open mtu=1400", ""},
          {R"("max_mtu": 1400, "bridges": ["br0"])", "open bridge=br0", ""},

          {"", "open mac=52:54:00:12:34:56", "mac 52:54:00:12:34:56: the rule does not set host_mac"},
          {R"("host_mac": false)", "open mac=52:54:00:12:34:56",
           "mac 52:54:00:12:34:56: the rule does not set host_mac"},
          {R"("host_mac": true)", "open mac=52:54:00:12:34:56", ""},

          {"", "open queues=2", "queues 2: the rule's max_queues is 1"},
          {R"("max_queues": 4)", "open queues=4", ""},
          {R"("max_queues": 4)", "open queues=5", "queues 5: the rule's max_queues is 4"},

          {"", "open vnet-hdr", "vnet-hdr: the rule does not set vnet_hdr"},
          {R"("vnet_hdr": true)", "open vnet-hdr", ""},
          {"", "open netns=0", "netns: the rule does not set namespaces"},
          {R"("namespaces": true)", "open netns=0", ""},
          {R"("devices": ["vm*"])", "open device=vm7 persist", "persist: the rule does not set persistent"},
          {R"("devices": ["vm*"], "persistent": true)", "open device=vm7 persist", ""},
          {R"("devices": ["vm*"], "persistent": true)", "open device=vm7 persist owner=1001", ""},
          {R"("devices": ["vm*"], "persistent": true)", "open device=vm7 persist owner=:1001",
           "owner :1001: not in the rule's owner_groups"},
          {R"("devices": ["vm*"], "persistent": true, "owners": [1002])", "open device=vm7 persist owner=1002", ""},
          {R"("devices": ["vm*"], "persistent": true, "owners": ["*"])", "open device=vm7 persist owner=0", ""},
          {R"("devices": ["vm*"], "persistent": true, "owners": [1002], "owner_groups": ["lab"])",
           "open device=vm7 persist owner=500", "owner 500: not in the rule's owners"},
          {R"("devices": ["vm*"], "persistent": true, "owners": [1002], "owner_groups": ["lab"])",
           "open device=vm7 persist owner=:500", ""},
          {R"("devices": ["vm*"], "owners": [1002])", "open device=vm7 persist owner=1002",
           "persist: the rule does not set persistent"},

          {"", "open sealed", ""},
          {R"("sealed": true)", "open", "sealed: the rule wants sealed interfaces only; add sealed"},
          {R"("sealed": true)", "open sealed", ""},

          {R"("guests": ["10.50.0.0/24"])", "open guest=10.50.0.7 guest-mac=52:54:00:00:00:7 anti-spoof", ""},
          {R"("anti_spoof": true)", "open",
           "anti-spoof: the rule wants interfaces with an anti-spoofing filter only; add anti-spoof, guest-mac= and "
           "guest="},
          {R"("guests": ["10.50.0.0/24"], "anti_spoof": true)",
           "open guest=10.50.0.7 guest-mac=52:54:00:00:00:7 anti-spoof", ""},

          {R"("max_devices": 1)", "open", "max_devices 1: 1 in use"},
          {R"("max_devices": 2)", "open", ""},
          {R"("guests": ["10.50.0.0/24", "fd00:50::/64"], "max_addresses": 2)", "open guest=10.50.0.7 guest=fd00:50::7",
           ""},
          {R"("guests": ["10.50.0.0/24", "fd00:50::/64"], "max_addresses": 2)",
           "open guest=10.50.0.7 guest=fd00:50::7 guest=fd00:50::8",
           "max_addresses 2: 0 in use, and the request asks for 3"},
          {R"("guests": ["10.50.0.0/24"], "max_addresses": 0)", "open guest=10.50.0.7", "max_addresses 0: 0 in use"},
          // Not routed, so not counted.
          {R"("guests": ["10.50.0.0/24"], "bridges": ["br0"], "max_addresses": 0)",
           "open bridge=br0 guest=10.50.0.7 guest-mac=52:54:00:00:00:7 anti-spoof", ""},
      },
      host_of_both());
}

TEST_CASE("decide open: one rule grants all of it, or none does") {
  const auto two = rules(R"({"name": "a", "users": [1001], "operations": ["open"], "devices": ["vm*"]},
                            {"name": "b", "users": [1001], "operations": ["open"], "max_queues": 2},
                            {"name": "c", "users": [1001], "operations": ["open"], "devices": ["vm*"], "max_queues": 4})");
  const auto host = host_of_both();
  const auto third = decide(two, caller(1001), asked("open device=vm1 queues=2"), host);
  REQUIRE(third);
  CHECK(third->rule() == "c");
  const auto none = decide(two, caller(1001), asked("open device=vm1 queues=8"), host);
  REQUIRE(!none);
  CHECK(none.error().rule == "a");
  CHECK(!decide(rules(R"({"name": "t", "users": [1001], "operations": ["tuntap", "bridge", "ethertap", "address"]})"),
                caller(1001), asked("open"), host));
}

TEST_CASE("decide: what a rule wants of devices, operations without a word for it cannot give") {
  struct Row {
    std::string want;
    Request request;
    std::string miss;
  };
  const Request tap = MakeTap{}, port = bridged("br0"), ether = OpenEthertap{*IfName::parse("uml0"), std::nullopt};
  const Row rows[] = {
      {R"("isolated": true)", tap, ""},
      {R"("isolated": true)", port,
       "isolated: the rule wants isolated ports of bridges only, and the operation bridge makes none; use open"},
      {R"("isolated": true)", ether, ""},
      {R"("sealed": true)", tap,
       "sealed: the rule wants sealed interfaces only, and the operation tuntap makes none; use open"},
      {R"("sealed": true)", port, "sealed: the rule wants sealed interfaces only"},
      {R"("sealed": true)", ether, ""},
      {R"("anti_spoof": true)", tap, "anti-spoof: the rule wants interfaces with an anti-spoofing filter only"},
      {R"("anti_spoof": true)", port, "anti-spoof: "},
      {R"("anti_spoof": true)", ether, "anti-spoof: "},
      {R"("anti_spoof": true, "sealed": true)", add("tap0", "10.50.0.7"), ""},
  };
  for (const auto& row : rows) {
    const auto policy =
        rules(R"({"name": "r", "users": [1001], "operations": ["tuntap", "bridge", "ethertap", "address"],
      "devices": ["*"], "bridges": ["br0"], "guests": ["10.50.0.0/24"], )" +
              row.want + "}");
    CAPTURE(row.want);
    const auto decision = decide(policy, caller(1001), row.request, host_of_both());
    REQUIRE(decision.has_value() == row.miss.empty());
    if (!decision) CHECK(decision.error().error.what.starts_with("rule r allows this but for " + row.miss));
  }
}

TEST_CASE("decide open: what the host forbids, whatever the rule grants") {
  const std::string all = R"("devices": ["*"], "gateways": ["0.0.0.0/0", "::/0"], "guests": ["0.0.0.0/0", "::/0"],
    "bridges": ["br0", "br9", "eth0"], "max_mtu": 9000, "host_mac": true)";
  auto host = host_of_both();
  host.links.push_back(tap(4, "tap1", 1002));
  host.routes.push_back(guest_route("10.50.0.9", 4));
  host.ipv6_routes.push_back({ip6("fd00:50::9"), 128, 4, std::nullopt, rtnetlink::kProtocol});
  host.routes.push_back(route("10.60.0.0", 16, 8));
  host.ipv6_routes.push_back({ip6("fd00:60::"), 48, 8, std::nullopt, 2});
  struct Row {
    std::string words;
    Code code;
    std::string why;  // a part of it
    bool root_may = false;
  };
  const Row rows[] = {
      {"open address=127.0.0.1", Code::bad_value, "address 127.0.0.1 cannot be put on a device"},
      {"open address=224.0.0.1/24", Code::bad_value, "multicast"},
      {"open address=::", Code::bad_value, "no address"},
      {"open address=::1", Code::bad_value, "loopback"},
      {"open address=ff02::1", Code::bad_value, "multicast"},
      {"open address=fe80::7/64", Code::bad_value, "link-local"},
      {"open address=febf::7", Code::bad_value, "link-local"},
      {"open address=::ffff:10.0.0.1", Code::bad_value, "IPv4"},
      {"open address=10.98.0.1/0", Code::bad_value, "default route"},
      {"open address=fd00:98::1/0", Code::bad_value, "default route"},
      {"open device=eth0", Code::conflict, "the device name eth0 is in use"},
      {"open device=tap1", Code::conflict, "the device name tap1 is in use"},
      {"open bridge=br9", Code::no_such_device, "there is no bridge br9 on this host"},
      {"open bridge=eth0", Code::no_such_device, "the device eth0 is not a bridge"},

      {"open address=10.50.0.200/25", Code::conflict,
       "address 10.50.0.200/25: its network overlaps the host's own network 10.50.0.0/24 on eth0", true},
      {"open address=10.50.1.1/16", Code::conflict, "the host's own network 10.50.0.0/24 on eth0", true},
      {"open address=10.60.7.1/24", Code::conflict, "overlaps 10.60.0.0/16, which is routed to eth1", true},
      {"open address=fd00:50::200/120", Code::conflict, "the host's own network fd00:50::/64 on eth0", true},
      {"open address=fd00:60:0:7::1/64", Code::conflict, "overlaps fd00:60::/48, which is routed to eth1", true},

      {"open guest=127.0.0.1", Code::denied, "127.0.0.1 cannot be a guest's address", true},
      {"open guest=::1", Code::denied, "loopback", true},
      {"open guest=fe80::7", Code::denied, "link-local", true},
      {"open guest=ff02::1", Code::denied, "multicast", true},
      {"open guest=10.50.0.1", Code::conflict, "10.50.0.1 is the host's own address on eth0", true},
      {"open guest=10.50.0.254", Code::conflict, "the host's gateway on eth0", true},
      {"open guest=10.50.0.255", Code::conflict, "the broadcast address of eth0", true},
      {"open guest=10.50.0.9", Code::conflict, "already routed to another device", true},
      {"open guest=fd00:50::1", Code::conflict, "fd00:50::1 is the host's own address on eth0", true},
      {"open guest=fd00:50::fe", Code::conflict, "the host's gateway on eth0", true},
      {"open guest=fd00:50::", Code::conflict, "the address of all routers of eth0", true},
      {"open guest=fd00:50::9", Code::conflict, "already routed to another device", true},
      {"open bridge=br0 guest=10.50.0.1 guest-mac=52:54:00:00:00:7 anti-spoof", Code::conflict, "own address", true},

      {"open bridge=br0 mtu=1400", Code::conflict, "mtu 1400 is below that of bridge br0, 1500", true},
      {"open bridge=br0 mac=52:54:00:00:00:00", Code::conflict,
       "mac 52:54:00:00:00:00 is below that of bridge br0, 52:54:00:00:00:01", true},
  };
  for (const auto& row : rows) {
    CAPTURE(row.words);
    const auto decision = decide(rule(all), caller(1001), asked(row.words), host);
    REQUIRE(!decision);
    CHECK(decision.error().rule == "r");
    CHECK(decision.error().error.code == row.code);
    CHECK(!decision.error().error.advice.empty());
    CHECK_MESSAGE(decision.error().error.what.contains(row.why), decision.error().error.what);
    const auto root = decide({}, caller(0), asked(row.words), host);
    CHECK(root.has_value() == row.root_may);
  }
  for (const std::string fine :
       {"open address=10.98.0.1/24 guest=10.98.0.2", "open address=10.50.0.1", "open address=fd00:98::1/64",
        "open guest=10.50.0.7 guest=fd00:50::7", "open bridge=br0 mtu=1500 mac=fe:00:00:00:00:01",
        "open bridge=br0 mtu=9000", "open address=10.50.0.1 address=fd00:50::1"})
    CHECK_MESSAGE(decide(rule(all), caller(1001), asked(fine), host), fine);
  // A policy that does not grant it tells nobody what there is on the host.
  for (const std::string words : {"open device=eth0", "open device=eth9"})
    CHECK(decide(rule(R"("devices": ["vm*"])"), caller(1001), asked(words), host).error().error.code == Code::denied);
}

TEST_CASE("decide open: no address lies inside a network of another user's device, and no network holds one") {
  auto host = host_of_both();
  host.links.push_back(tap(20, "tap7", 1002));
  host.links.push_back(tap(21, "tap8", 1001));
  host.addresses.push_back({20, ip("10.98.1.254"), Ipv4Mask(24), {}});
  host.addresses.push_back({21, ip("10.98.2.254"), Ipv4Mask(24), {}});
  host.ipv6_addresses.push_back({20, ip6("fd00:98:1::1"), 64, false});
  host.routes.push_back(route("10.97.0.0", 16, 20));
  host.routes.push_back(guest_route("10.96.0.7", 20));
  const auto all = R"("gateways": ["0.0.0.0/0", "::/0"], "guests": ["0.0.0.0/0", "::/0"])";
  const std::string inside = "in a network that is routed to another device", holds = "holds an address of another";
  const std::pair<std::string, std::string> refused[] = {
      {"open guest=10.98.1.7", inside},
      {"open guest=fd00:98:1::7", inside},
      {"open guest=10.97.3.3", inside},
      {"open address=10.98.1.9", inside},
      {"open address=fd00:98:1::9", inside},
      {"open address=10.97.3.3", inside},
      {"open address=10.98.0.254/23", "overlaps"},
      {"open address=10.96.0.254/24", holds},
  };
  for (const auto& [words, why] : refused) {
    CAPTURE(words);
    const auto decision = decide(rule(all), caller(1001), asked(words), host);
    REQUIRE(!decision);
    CHECK(decision.error().error.code == Code::conflict);
    CHECK_MESSAGE(decision.error().error.what.contains(why), decision.error().error.what);
    CHECK(!decision.error().error.text().contains("1002"));
    CHECK(decide({}, caller(0), asked(words), host));
  }
  for (const std::string fine : {"open guest=10.98.2.7", "open address=10.98.2.9", "open address=10.98.1.254",
                                 "open address=fd00:98:1::1", "open guest=10.50.0.7"})
    CHECK_MESSAGE(decide(rule(all), caller(1001), asked(fine), host), fine);
}

TEST_CASE(
    "decide open: no guest has the address of a gateway of any table, of the host by a route, or of a neighbour") {
  auto host = host_of_both();
  auto other = route("0.0.0.0", 0, 2);
  other.gateway = ip("10.50.0.33"), other.table = 100;
  auto across = route("10.72.0.0", 16, 2);
  across.gateway = ip6("fd00:50::33");
  host.routes.insert(host.routes.end(), {other, across});
  host.local_addresses = {ip("10.50.0.34"), ip6("fd00:50::34")};
  host.neighbours = {ip("10.50.0.35"), ip6("fd00:50::35")};
  const auto all = R"("guests": ["10.50.0.0/24", "fd00:50::/64"])";
  for (const auto& [guest, why] :
       std::vector<std::pair<std::string, std::string>>{{"10.50.0.33", "the host's gateway on eth0"},
                                                        {"fd00:50::33", "the host's gateway on eth0"},
                                                        {"10.50.0.34", "the host's own address by a route"},
                                                        {"fd00:50::34", "the host's own address by a route"},
                                                        {"10.50.0.35", "the address of a machine"},
                                                        {"fd00:50::35", "the address of a machine"}}) {
    const auto decision = decide(rule(all), caller(1001), asked("open guest=" + guest), host);
    REQUIRE_MESSAGE(!decision, guest);
    CHECK_MESSAGE(decision.error().error.what.starts_with(guest + " is " + why), decision.error().error.what);
    CHECK(decide({}, caller(0), asked("open guest=" + guest), host));
  }
  // Other tables are neither LANs nor in the way of a network.
  auto elsewhere = route("10.80.0.0", 16, 2);
  elsewhere.table = 100;
  host.routes.push_back(elsewhere);
  CHECK(policy::lans_for(host, IpRange::just(ip("10.80.0.7"))).empty());
  CHECK(decide(rule(R"("gateways": ["10.80.0.0/16"])"), caller(1001), asked("open address=10.80.0.254/24"), host));
}

TEST_CASE("decide: whom the kernel is asked about") {
  CHECK(policy::guests_of(asked("open guest=10.50.0.7 guest=fd00::7")) ==
        std::vector<IpAddress>{ip("10.50.0.7"), ip6("fd00::7")});
  CHECK(policy::guests_of(asked("open bridge=br0 guest=10.50.0.7 guest-mac=52:54:00:00:00:7 anti-spoof")).empty());
  CHECK(policy::guests_of(add("tap0", "10.50.0.7")) == std::vector<IpAddress>{ip("10.50.0.7")});
  CHECK(policy::guests_of(del("tap0", "10.50.0.7")).empty());
  CHECK(policy::guests_of(MakeTap{ip("10.50.0.7")}).empty());

  auto host = host_of_both();
  host.routes.push_back(guest_route("10.50.0.7", 3));
  host.routes.push_back(route("10.50.0.0", 16, 8));
  CHECK(policy::on_link_devices(host, ip("10.50.0.7")) == std::vector<int>{2, 8});
  CHECK(policy::on_link_devices(host, ip("192.168.0.7")).empty());
  CHECK(policy::on_link_devices(host, ip6("fd00:50::7")) == std::vector<int>{2});
}

TEST_CASE("decide: a name that a shell reads as more than a name is root's alone to choose") {
  const auto wide = rules(R"({"name": "r", "users": [1001], "operations": ["open", "ethertap"], "devices": ["*"]})");
  for (const auto* name :
       {"tap$(id)", "tap;x", "tap`x`", "tap&", "tap|x", "tap>x", "tap'", "tap\"", "tap*", "tap?", "tap[0]", "~",
        "!x",       "a@b",   "a=b",    "a+b",  "a,b",   "a#b",   "#x",   "-x",    "--",   "a\\b", "{a}"}) {
    CAPTURE(name);
    const auto device = *IfName::parse(name);
    for (const Request& request : {Request(OpenEthertap{device, {}}), Request(OpenInterface{.device = device})}) {
      const auto decision = decide(wide, caller(1001), request, small_host());
      REQUIRE(!decision);
      CHECK(decision.error().error.code == Code::bad_value);
      CHECK(decide({}, caller(0), request, small_host()));
    }
  }
  for (const auto* name : {"tap7", "vm-1", "vm_1", "eth0.7", "A", "0", "_", "..."})
    CHECK_MESSAGE(decide(wide, caller(1001), OpenEthertap{*IfName::parse(name), {}}, small_host()), name);
}

TEST_CASE("decide open: deny rules are narrowed by their lists, and by any of the values that a request names") {
  struct Row {
    std::string narrowing;
    std::string words;
    std::string why_not;  // a part of it; empty: denied
  };
  const Row rows[] = {
      {"", "open", ""},
      {R"(, "operations": ["open"])", "open", ""},
      {R"(, "operations": ["tuntap", "bridge"])", "open", "it denies other operations than open"},
      {R"(, "devices": ["vm*"])", "open device=vm1", ""},
      {R"(, "devices": ["vm*"])", "open device=tap7", "device tap7 is not in vm*"},
      {R"(, "devices": ["vm*"])", "open", "the kernel chooses this one"},
      {R"(, "gateways": ["10.98.0.0/24"])", "open address=10.97.0.1 address=10.98.0.1", ""},
      {R"(, "gateways": ["10.98.0.0/24"])", "open address=10.98.1.1/16", ""},
      {R"(, "gateways": ["10.98.0.0/24"])", "open address=10.97.0.1 address=fd00:98::1/64",
       "address 10.97.0.1/32, fd00:98::1/64 are not in 10.98.0.0/24"},
      {R"(, "gateways": ["10.98.0.0/24"])", "open", "the request names none"},
      {R"(, "guests": ["fd00:50::/64"])", "open guest=10.50.0.7 guest=fd00:50::7", ""},
      {R"(, "guests": ["fd00:50::/64"])", "open guest=10.50.0.7", "guest address 10.50.0.7 is not in fd00:50::/64"},
      {R"(, "guests": ["fd00:50::/64"])", "open", "the request names none"},
      {R"(, "bridges": ["br0"])", "open bridge=br0", ""},
      {R"(, "bridges": ["br1"])", "open bridge=br0", "bridge br0 is not in br1"},
      {R"(, "bridges": ["br0"])", "open", "the request names none"},
      {R"(, "lan": ["eth0"])", "open guest=10.50.0.7", ""},
      {R"(, "lan": ["eth0"])", "open guest=fd00:50::7", ""},
      {R"(, "lan": ["eth1"])", "open guest=fd00:50::7", "guest address fd00:50::7 is not in the LAN of eth1"},
      {R"(, "lan": ["eth0"])", "open bridge=br0 guest=10.50.0.7", "is not in the LAN of eth0"},
      {R"(, "guests": ["10.50.0.0/24"], "bridges": ["br0"])", "open guest=10.50.0.7", "the request names none"},
      {R"(, "guests": ["10.50.0.0/24"], "bridges": ["br0"])", "open guest=10.50.0.7 bridge=br0", ""},

      {"", "session", ""},
      {R"(, "operations": ["open"])", "session", ""},
      {R"(, "operations": ["bridge"])", "session", "other operations"},
      {R"(, "devices": ["*"])", "session", "it denies names of devices, and the request names none"},
      {R"(, "gateways": ["0.0.0.0/0"])", "session", "names none"},
      {R"(, "guests": ["0.0.0.0/0"])", "session", "names none"},
      {R"(, "bridges": ["br0"])", "session", "names none"},
      {R"(, "lan": ["eth0"])", "session", "names none"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.narrowing);
    CAPTURE(row.words);
    const auto policy = rules(R"({"name": "d", "effect": "deny", "users": ["*"])" + row.narrowing + R"(},
      {"name": "r", "users": [1001], "operations": ["open"], "devices": ["*"], "gateways": ["0.0.0.0/0", "::/0"],
       "guests": ["0.0.0.0/0", "::/0"], "bridges": ["br0"]})");
    const auto host = host_of_both();
    const auto answers = policy::answers_of(policy, caller(1001), asked(row.words), host);
    CHECK(answers[0].says == (row.why_not.empty() ? policy::RuleVerdict::denies : policy::RuleVerdict::does_not_match));
    CHECK_MESSAGE(answers[0].why.contains(row.why_not), answers[0].why);
    CHECK(answers[1].says == policy::RuleVerdict::grants);
    const auto decision = decide(policy, caller(1001), asked(row.words), host);
    CHECK(decision.has_value() == !row.why_not.empty());
    if (!decision) CHECK(decision.error().error.what == "rule d denies this");
    CHECK_MESSAGE(decide(policy, caller(0), asked(row.words), host).has_value() == decision.has_value(), "root too");
  }
}

TEST_CASE("decide session: whoever may open anything at all") {
  const auto host = host_of_both();
  const auto may = [&](const policy::Policy& policy, uid_t uid, std::vector<gid_t> groups = {}) {
    return decide(policy, caller(uid, std::move(groups)), OpenSession{}, host).has_value();
  };
  // What a rule wants of each device, and its limits, are for each request of the session.
  CHECK(may(rule(R"("sealed": true, "isolated": true, "anti_spoof": true, "max_devices": 0, "max_mtu": 68)"), 1001));
  CHECK(!may(rule(""), 1002));
  CHECK(may(rule(""), 0));
  CHECK(may({}, 0));
  CHECK(!may({}, 1001));
  CHECK(may(rules(R"({"name": "g", "groups": ["lab"], "operations": ["open"]})"), 7, {500}));
  const auto other = decide(rules(R"({"name": "t", "users": [1001], "operations": ["tuntap", "bridge"]})"),
                            caller(1001), OpenSession{}, host);
  REQUIRE(!other);
  CHECK(other.error().error.what == "rule t does not allow the operation open");
}

TEST_CASE("decide remove: one's own device needs no rule; any other is answered as none at all") {
  auto host = host_of_both();
  host.links.push_back(tap(20, "theirs", 1002));
  host.links.push_back(tap(21, "foreign", 1001));
  host.links.back().alias = "";
  host.links.push_back(tap(22, "tun", 1001));
  host.links.back().tap = false;
  host.links.push_back(
      tap(23, "given", 1001));  // to another uid, by whoever held its fd: it still counts for its maker
  host.links.back().tun_owner = 1002;
  const auto remove = [&](const char* name, uid_t uid, const policy::Policy& policy) {
    return decide(policy, caller(uid), asked(std::string("remove device=") + name), host);
  };
  const auto deny = rules(R"({"name": "d", "effect": "deny", "users": ["*"]})");
  for (const auto& policy : {policy::Policy{}, deny}) {
    for (const auto* name : {"tap0", "given"}) {
      const auto own = remove(name, 1001, policy);
      REQUIRE_MESSAGE(own, name);
      CHECK((own->rule().empty() && own->uid() == 1001));
    }
    for (const std::string name : {"theirs", "foreign", "tun", "eth0", "br0", "nothing"}) {
      const auto denied = remove(name.c_str(), 1001, policy);
      REQUIRE_MESSAGE(!denied, name);
      CHECK(denied.error().rule.empty());
      CHECK(denied.error().error.code == Code::no_such_device);
      CHECK(denied.error().error.what == "there is no device " + name + " that uml_net made for you");
      CHECK(denied.error().error.advice == remove("nothing", 1001, policy).error().error.advice);
    }
    CHECK(!remove("given", 1002, policy));
    CHECK(remove("theirs", 0, policy));
    for (const auto* name : {"foreign", "tun", "eth0", "nothing"}) CHECK_MESSAGE(!remove(name, 0, policy), name);
  }
}

TEST_CASE("limits: an interface counts with its guest addresses, of both families") {
  CHECK(policy::counts_against_limits(asked("open")));
  CHECK(policy::counts_against_limits(asked("open bridge=br0")));
  CHECK(!policy::counts_against_limits(asked("remove device=tap0")));
  CHECK(!policy::counts_against_limits(OpenSession{}));

  auto host = host_of_both();
  const auto policy = rule(R"("guests": ["10.50.0.0/24", "fd00:50::/64"], "max_devices": 3, "max_addresses": 2)");
  REQUIRE(decide(policy, caller(1001), asked("open guest=10.50.0.7 guest=fd00:50::7"), host));
  host.links.push_back(tap(4, "tap1", 1001));
  host.routes.push_back(guest_route("10.50.0.7", 4));
  host.ipv6_routes.push_back({ip6("fd00:50::7"), 128, 4, std::nullopt, rtnetlink::kProtocol});
  CHECK(host.addresses_of(1001) == 2);
  CHECK(host.addresses_of(1002) == 0);
  const auto why = [&](const char* words) {
    return decide(policy, caller(1001), asked(words), host).error().error.what;
  };
  CHECK(why("open guest=10.50.0.8").contains("max_addresses 2"));
  CHECK(decide(policy, caller(1001), asked("open"), host));
  host.links.push_back(tap(5, "tap2", 1001));
  CHECK(why("open").contains("max_devices 3"));
}

TEST_CASE("lans_for: the devices with a route to a network that holds the guest's address") {
  auto host = host_of_both();
  rtnetlink::Link loopback = lan(1, "lo");
  loopback.loopback = true;
  host.links.push_back(loopback);
  host.routes.push_back(route("10.50.0.0", 16, 8));
  host.routes.push_back(route("10.50.0.0", 24, 8));
  host.routes.push_back(route("10.0.0.0", 8, 1));
  // tap0 is a guest's: no LAN, neither by its routes nor by a network on it.
  host.routes.push_back(route("10.50.0.0", 24, 3));
  host.routes.push_back(guest_route("10.50.0.7", 3));
  host.ipv6_routes.push_back({ip6("fd00::"), 16, 8, std::nullopt, 2});
  const auto names = [&](const char* address) {
    std::string text;
    for (const auto* link : policy::lans_for(host, *IpRange::parse(address))) text += link->name + " ";
    return text;
  };
  CHECK(names("10.50.0.7") == "eth0 eth1 ");
  CHECK(names("10.50.1.7") == "eth1 ");
  CHECK(names("10.51.0.7") == "");
  CHECK(names("fd00:50::7") == "eth0 eth1 ");
  CHECK(names("fd00:51::7") == "eth1 ");
  CHECK(names("fd01:51::7") == "");
}

TEST_CASE("garbage: what is left of IPv6 guests, and not what was granted to persist") {
  auto host = host_of_both();
  CHECK(!policy::has_garbage(host));
  host.ipv6_routes.push_back({ip6("fd00:50::7"), 128, 3, std::nullopt, rtnetlink::kProtocol});
  host.ipv6_proxy_entries = {{2, ip6("fd00:50::7"), rtnetlink::kProtocol}, {2, ip6("fd00:50::8"), 0}};
  CHECK_MESSAGE(!policy::has_garbage(host), "an entry with a route, and somebody else's");
  host.ipv6_routes.pop_back();
  CHECK(policy::has_garbage(host));
  host.ipv6_proxy_entries.clear();

  auto& device = host.links[1];
  device.persistent = true;
  CHECK_MESSAGE(!policy::has_garbage(host), "somebody holds it");
  device.carrier = false;
  CHECK(policy::is_abandoned(device));
  CHECK(policy::has_garbage(host));
  device.alias = DeviceTag{1001, RequestId({}), std::nullopt, "open device=tap0 persist", true}.str();
  CHECK(!policy::is_abandoned(device));
  CHECK(!policy::has_garbage(host));
  CHECK_MESSAGE(host.devices_of(1001) == 1, "it counts as long as it is there");
}

TEST_CASE("limits: the ports of a bridge count by themselves as well") {
  auto host = host_of_both();
  host.links.push_back(bridge(9, "br1"));
  const auto policy = rules(
      R"({"name": "r", "users": [1001], "operations": ["open", "bridge"], "bridges": ["br0", "br1"],
          "max_devices_per_bridge": 1})");
  const auto may = [&](const Request& request) { return decide(policy, caller(1001), request, host); };
  const auto both = {asked("open bridge=br0"), Request(bridged("br0"))};
  // Another's, one on another bridge, and one on none.
  host.links.push_back(tap(4, "tap1", 1002));
  host.links.back().master = 7;
  host.links.push_back(tap(5, "tap2", 1001));
  host.links.back().master = 9;
  for (const auto& request : both) CHECK(may(request));
  host.links.push_back(tap(6, "tap3", 1001));
  host.links.back().master = 7;
  for (const auto& request : both) {
    const auto answer = may(request);
    REQUIRE(!answer);
    CHECK(answer.error().error.what == "rule r allows this but for max_devices_per_bridge 1: 1 in use");
  }
  CHECK(may(asked("open")));
}

TEST_CASE("a device for another is its maker's, and its owner may remove it") {
  auto host = host_of_both();
  for (const auto& owner : {DeviceOwner{.id = 1002}, DeviceOwner{DeviceOwner::Kind::group, 500}}) {
    const bool is_user = owner.kind == DeviceOwner::Kind::user;
    auto& device = host.links.emplace_back(tap(4, "vm7", 1001));
    device.alias = DeviceTag{1001, RequestId({}), std::nullopt, "open", true, owner}.str();
    device.tun_owner = is_user ? std::optional<uid_t>(1002) : std::nullopt;
    CHECK((policy::made_for(device) == 1001U && policy::maker_of(device) == 1001U));
    CHECK((host.devices_of(1001) == 2 && host.devices_of(1002) == 0));
    for (const uid_t uid : {0U, 1001U, 1002U, 500U})
      CHECK(policy::may_remove(device, uid) == (uid == 0 || uid == 1001 || (is_user && uid == 1002)));
    // Its holder gave it away.
    device.tun_owner = 1003;
    CHECK(!policy::maker_of(device));
    CHECK(!policy::may_remove(device, 1003));
    host.links.pop_back();
  }
}

TEST_CASE("a network behind a guest: what it may hold, and what may hold it") {
  auto host = host_of_both();
  host.links.push_back(tap(4, "tap1", 1002));
  host.routes.push_back(guest_route("10.51.5.7", 4));
  host.routes.push_back(route("10.51.6.64", 29, 4, rtnetlink::kProtocol));
  host.routes.push_back(route("10.51.8.0", 29, 3, rtnetlink::kProtocol));
  host.routes.push_back(route("10.60.0.0", 17, 2));
  host.ipv6_routes.push_back({ip6("fd00:51:6::"), 48, 4, std::nullopt, rtnetlink::kProtocol});
  const auto policy = rule(R"("guests": ["0.0.0.0/0", "169.254.0.0/16", "::/0"], "max_addresses": 65536)");
  const auto answer = [&](const std::string& network) -> std::string {
    const auto decision = decide(policy, caller(1001), asked("open guest=" + network), host);
    return decision ? "" : decision.error().error.what;
  };
  for (const auto* fine : {"10.50.0.64/29", "10.50.0.64/26", "10.51.5.0/30", "10.51.6.72/29", "10.60.7.0/24",
                           "fd00:50::8:0/112", "fd00:51:7::/48", "169.254.1.0/24"})
    CHECK_MESSAGE(answer(fine) == "", fine);
  struct Row {
    std::string network, why;
  };
  for (const auto& [network, why] :
       std::vector<Row>{{"10.50.0.0/30", "holds the host's own address on eth0"},
                        {"10.50.0.0/24", "holds the host's own address on eth0"},
                        {"10.50.0.0/17", "holds the host's own address on eth0"},
                        {"10.50.0.248/29", "holds the broadcast or network address of eth0"},
                        {"10.50.0.252/31", ""},
                        {"10.50.0.254/31", "holds the broadcast or network address of eth0"},
                        {"10.51.5.0/29", "overlaps what is routed to another device"},
                        {"10.51.6.64/29", "overlaps what is routed to another device"},
                        {"10.51.6.68/30", "overlaps what is routed to another device"},
                        {"10.51.6.0/24", "overlaps what is routed to another device"},
                        {"10.51.8.0/30", "overlaps what is routed to another device"},
                        {"10.60.0.0/17", "holds 10.60.0.0/17, which is routed to eth0"},
                        {"fd00:50::/64", "holds the host's own address, or that of all routers, on eth0"},
                        {"fd00:50::/120", "holds the host's own address, or that of all routers, on eth0"},
                        {"fd00:51:6:7::/64", "overlaps what is routed to another device"},
                        {"fd00:51::/32", "overlaps what is routed to another device"},
                        {"fd00:50::fe/127", "holds the host's gateway on eth0"}}) {
    CAPTURE(network);
    CHECK(answer(network) == (why.empty() ? "" : network + " " + why));
    CHECK(decide({}, caller(0), asked("open guest=" + network), host));
  }
  for (const auto& [network, why] : std::vector<Row>{{"127.0.0.0/24", "loopback"},
                                                     {"fe80::/16", "link-local"},
                                                     {"ff00::/16", "multicast"},
                                                     {"169.254.168.0/22", "metadata"},
                                                     {"169.254.128.0/17", "metadata"}})
    CHECK_MESSAGE(answer(network).contains(why), answer(network));
}

TEST_CASE("a network behind a guest counts for its addresses, and a rule grants all of it or nothing") {
  CHECK((policy::address_count(*IpRange::parse("10.0.0.0/29")) == 8 &&
         policy::address_count(*IpRange::parse("10.0.0.1")) == 1));
  CHECK((policy::address_count(*IpRange::parse("10.0.0.0/8")) == 1U << 24 &&
         policy::address_count(*IpRange::parse("fd00::/48")) == 1));
  auto host = host_of_both();
  check(
      {{R"("guests": ["10.51.0.0/28"], "max_addresses": 8)", "open guest=10.51.0.8/29", ""},
       {R"("guests": ["10.51.0.0/28"], "max_addresses": 7)", "open guest=10.51.0.8/29",
        "max_addresses 7: 0 in use, and the request asks for 8"},
       {R"("guests": ["10.51.0.0/28"])", "open guest=10.51.0.0/27", "guest address 10.51.0.0/27: not in 10.51.0.0/28"},
       {R"("guests": ["10.51.0.0/29", "10.51.0.8/29"])", "open guest=10.51.0.0/28",
        "guest address 10.51.0.0/28: not in 10.51.0.0/29, 10.51.0.8/29"}},
      host);
  host.routes.push_back(route("10.51.0.0", 29, 3, rtnetlink::kProtocol));
  host.ipv6_routes.push_back({ip6("fd00:51::"), 48, 3, std::nullopt, rtnetlink::kProtocol});
  CHECK(host.addresses_of(1001) == 9);
  // The route to an address within is another one, and what is published of the network is no garbage.
  CHECK(host.guest_route(ip("10.51.0.0")) == nullptr);
  CHECK(host.route_to_guest(ip("10.51.0.7")) == &host.routes.back());
  CHECK(host.route_to_guest(ip6("fd00:51::7")) == &host.ipv6_routes.back());
  host.proxy_entries = {{2, ip("10.51.0.7"), rtnetlink::kProtocol}};
  host.links[0].ipv4.forwarding = true;
  CHECK(!policy::has_garbage(host));
  host.proxy_entries = {{2, ip("10.51.0.8"), rtnetlink::kProtocol}};
  CHECK(policy::has_garbage(host));
}
