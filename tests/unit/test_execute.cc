// Plans and their execution against a host of plain values on which any step can fail.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <type_traits>

#include "fake_host.h"
#include "libumlnet/core/boot_time.h"
#include "policy/decide.h"
#include "uml_net/priv/execute.h"
#include "uml_net/priv/plan.h"

using namespace umlnet;
using namespace umlnet::test;

namespace {

// Keeps the state that the changes leave, as a sorted list of facts, and fails at the step it is told to.
class FakeEffects : public priv::HostEffects {
 public:
  // `code`: Code::no_answer for a step that is made, and of which that is not known.
  explicit FakeEffects(int fail_at = -1, int errnum = ENOMEM, Code code = Code::kernel)
      : fail_at_(fail_at), errnum_(errnum), code_(code) {}

  std::vector<std::string> facts;
  std::vector<std::string> of_the_tap;  // in order
  int steps = 0;

  Result<priv::NewTap> make_tap(const priv::TapWanted& wanted) override {
    if (auto ok = step(); !ok) return std::unexpected(ok.error());
    if (wanted.virtio_headers) facts.emplace_back("virtio headers");
    return priv::NewTap{*IfName::parse("tap9"), 9, *MacAddress::parse("02:0a:0b:0c:0d:0e"), 1500,
                        std::vector<unique_fd>(wanted.queues)};
  }
  Result<void> set_persistent(const priv::NewTap& made, bool on) override {
    return put(on, "persistent " + std::to_string(made.ifindex));
  }
  Result<void> set_alias(int i, const std::string&, std::uint32_t group) override {
    return group == 0 ? step() : say("group", i, std::to_string(group));
  }
  Result<void> add_address(int i, const IpInterface& address) override { return say("address", i, address.str()); }
  Result<void> set_up(int) override { return step(); }
  Result<void> set_mtu(int i, unsigned mtu) override { return say("mtu", i, std::to_string(mtu)); }
  Result<void> set_mac(int i, const MacAddress& mac) override { return say("mac", i, mac.str()); }
  Result<void> set_master(int i, int bridge) override { return say("master", i, std::to_string(bridge)); }
  Result<void> isolate_port(int i) override { return say("isolated", i, ""); }
  Result<void> set_no_link_local_address(int i) override { return say("no link-local address", i, ""); }
  Result<void> classify_ingress(int i, std::span<const sock_filter> program) override {
    using enum GuestProtocols;
    for (const auto guard : {ipv4, ipv4_and_ipv6})
      if (program.data() == host_guard_program(guard).data())
        return say("guard", i, guard == ipv4 ? "IPv4" : "IPv4 and IPv6");
    CHECK(!program.empty());
    return say("classifier", i, "");
  }
  Result<void> add_route(int i, const IpRange& n, const std::optional<IpAddress>&) override {
    return put(true, "route " + at(i, n.first()) + (n.is_one_address() ? "" : "/" + std::to_string(n.length())));
  }
  Result<void> delete_route(int i, const IpRange& n, const std::optional<IpAddress>&) override {
    return put(false, "route " + at(i, n.first()) + (n.is_one_address() ? "" : "/" + std::to_string(n.length())));
  }
  Result<void> publish(int i, const IpAddress& a, std::uint8_t protocol) override {
    return put(true, "proxy " + at(i, a) + (protocol == rtnetlink::kProtocolForwarding ? " marked" : ""));
  }
  Result<void> withdraw(int i, const IpAddress& a) override {
    auto withdrawn = put(false, "proxy " + at(i, a));
    if (withdrawn || withdrawn.error().code == Code::no_answer) std::erase(facts, "proxy " + at(i, a) + " marked");
    return withdrawn;
  }
  Result<void> set_proxy_arp(int i, bool on) override { return put(on, "proxy_arp " + std::to_string(i)); }
  Result<void> set_forwarding(int i, bool on) override { return put(on, "forwarding " + std::to_string(i)); }
  // Not a step: what is marked is a fact about a device, and of no concern to most tests.
  Result<void> set_mark(int i, const std::string& name, bool on) override {
    std::erase(marks, std::to_string(i) + " " + name);
    if (on) marks.push_back(std::to_string(i) + " " + name);
    return {};
  }
  std::vector<std::string> marks;
  Result<void> delete_link(int i) override { return put(false, "link " + std::to_string(i)); }
  Result<void> delete_group(std::uint32_t group) override { return put(false, "group " + std::to_string(group)); }

 private:
  static std::string at(int ifindex, const IpAddress& address) {
    return to_string(address) + " " + std::to_string(ifindex);
  }
  Result<void> step() {
    if (steps++ == fail_at_) return fail_errno(code_, errnum_, "the kernel said no");
    return {};
  }
  // What goes with the device's fd.
  Result<void> say(const std::string& what, int ifindex, const std::string& value) {
    if (auto ok = step(); !ok) return ok;
    of_the_tap.push_back(what + " " + std::to_string(ifindex) + " " + value);
    return {};
  }
  Result<void> put(bool on, const std::string& fact) {
    auto ok = step();
    if (!ok && ok.error().code != Code::no_answer) return ok;
    std::erase(facts, fact);
    if (on) facts.push_back(fact);
    std::ranges::sort(facts);
    return ok;
  }

  int fail_at_;
  int errnum_;
  Code code_;
};

policy::HostState host_with_bridge(unsigned mtu = 1500) {
  auto host = small_host();
  host.links.push_back(bridge(7, "br0", mtu));
  return host;
}

// What does not exclude something else.
OpenInterface everything() {
  OpenInterface request;
  request.device = IfName::parse("vm0");
  request.addresses = {*IpInterface::parse("10.99.0.254/24"), *IpInterface::parse("fd00:99::1/64")};
  request.guests = {*IpRange::parse("10.50.0.7"), *IpRange::parse("fd00:77::7")};
  request.guest_macs = {*MacAddress::parse("52:54:00:aa:bb:cc")};
  request.mtu = 1400;
  request.mac = MacAddress::parse("52:54:00:11:22:33");
  request.queues = 2;
  request.anti_spoof = true;
  return request;
}

OpenInterface lasting() {
  auto request = everything();
  request.persistent = true;
  return request;
}

policy::Grant root_grant(const Request& request, const policy::HostState& host) {
  auto grant = policy::decide({}, caller(0), request, host);
  REQUIRE(grant);
  return *grant;
}

// What fails is taken back, by a state of the host in which nobody else did anything.
Result<priv::Outcome> carry_out(const priv::Plan& plan, const policy::HostState& host, FakeEffects& effects) {
  auto outcome = priv::execute(plan, effects);
  if (outcome) return *std::move(outcome);
  auto& failure = outcome.error();
  const auto taken = priv::rollback(std::move(failure.done), &host, effects);
  for (const auto& left : taken.failures) failure.error.what += " (left: " + left + ")";
  return std::unexpected(std::move(failure.error));
}

Result<priv::Outcome> run(const Request& request, const policy::HostState& host, FakeEffects& effects) {
  const auto plan = priv::make_plan(root_grant(request, host), RequestId({}), host);
  if (!plan) return std::unexpected(plan.error());
  return carry_out(*plan, host, effects);
}

}  // namespace

TEST_CASE("execute: a tap with a gateway") {
  FakeEffects effects;
  const auto outcome = run(MakeTap{ip("10.99.0.254")}, small_host(), effects);
  REQUIRE(outcome);
  CHECK(outcome->text == "tap9 up with 10.99.0.254/32\n");
  CHECK(outcome->words == std::vector<std::string>{"tap9 made for uid 0", "10.99.0.254/32 on tap9", "tap9 up"});
  CHECK(effects.of_the_tap ==
        std::vector<std::string>{"no link-local address 9 ", "guard 9 IPv4", "address 9 10.99.0.254/32"});
  FakeEffects without;
  CHECK(run(MakeTap{}, small_host(), without)->text == "tap9 up without a host address\n");
}

TEST_CASE("execute: what the host takes from a guest is what the request granted, before the device is up") {
  using Steps = std::vector<std::string>;
  const auto host = host_with_bridge();
  const auto opened = [&](auto change) {
    OpenInterface request;
    change(request);
    FakeEffects effects;
    REQUIRE(run(request, host, effects));
    return effects.of_the_tap;
  };
  const auto ipv6_address = [](OpenInterface& request) { request.addresses = {*IpInterface::parse("fd00:99::1/64")}; };
  const auto anti_spoof = [](OpenInterface& request) {
    request.anti_spoof = true;
    request.guest_macs = {*MacAddress::parse("52:54:00:aa:bb:cc")};
    request.guests = {*IpRange::parse("10.60.0.7")};
  };
  const Steps ipv4 = {"no link-local address 9 ", "guard 9 IPv4"};
  CHECK(opened([](OpenInterface&) {}) == ipv4);
  CHECK(opened([](OpenInterface& request) { request.guests = {*IpRange::parse("10.60.0.7")}; }) == ipv4);
  CHECK(opened([](OpenInterface& request) { request.persistent = true; }) == ipv4);
  CHECK(opened([](OpenInterface& request) { request.guests = {*IpRange::parse("fd00:77::7")}; }) ==
        Steps{"guard 9 IPv4 and IPv6"});
  CHECK(opened(ipv6_address) == Steps{"guard 9 IPv4 and IPv6", "address 9 fd00:99::1/64"});
  CHECK(opened(anti_spoof) == Steps{"no link-local address 9 ", "classifier 9 "});
  CHECK(opened([&](OpenInterface& request) {
          ipv6_address(request);
          anti_spoof(request);
        }) == Steps{"classifier 9 ", "address 9 fd00:99::1/64"});
  FakeEffects ethertap;
  REQUIRE(run(OpenEthertap{.device = *IfName::parse("uml1"), .gateway = {}}, host, ethertap));
  CHECK(ethertap.of_the_tap == Steps{"no link-local address 9 ", "guard 9 IPv4"});
}

TEST_CASE("execute: no plan makes a device without a guard but for a bridge or for anti-spoof") {
  const auto host = host_with_bridge();
  auto on_bridge = OpenInterface{};
  on_bridge.bridge = IfName::parse("br0");
  auto both = on_bridge;
  both.anti_spoof = true;
  both.guest_macs = {*MacAddress::parse("52:54:00:aa:bb:cc")};
  both.guests = {*IpRange::parse("10.60.0.7")};
  for (const Request& request : std::vector<Request>{MakeTap{}, MakeTap{ip("10.99.0.254")}, bridged("br0"),
                                                     OpenEthertap{.device = *IfName::parse("uml1"), .gateway = {}},
                                                     OpenInterface{}, everything(), lasting(), on_bridge, both}) {
    const auto plan = priv::make_plan(root_grant(request, host), RequestId({}), host);
    REQUIRE(plan);
    const auto has = [&]<class Kind>(std::type_identity<Kind>) {
      return std::ranges::any_of(plan->changes(),
                                 [](const auto& change) { return std::holds_alternative<Kind>(change); });
    };
    const bool bridged = has(std::type_identity<priv::SetMaster>());
    const bool anti_spoof = std::holds_alternative<priv::PutAntiSpoof>(plan->changes()[1]);
    CHECK(std::get<priv::MakeTapDevice>(plan->changes()[0]).guard.has_value() == (!bridged && !anti_spoof));
  }
}

TEST_CASE(
    "plan: a filter knows the link-local addresses of others on the bridge, and no router where there is no bridge") {
  auto host = host_with_bridge();
  const auto own = *Ipv6::parse("fe80::7d1a:93c4:22b0:6e51"), gateway = *Ipv6::parse("fe80::7d1a:93c4:22b0:6e52"),
             apart = *Ipv6::parse("fe80::7d1a:93c4:22b0:6e53"), made_of_mac = *Ipv6::parse("fe80::5054:ff:fe00:1");
  host.ipv6_addresses = {{7, own, 64, true}, {2, apart, 64, true}, {7, made_of_mac, 64, true}};
  host.ipv6_routes = {{*Ipv6::parse("fd00:70::"), 64, 7, gateway, 2}, {Ipv6(), 0, 7, gateway, 2}};
  OpenInterface request;
  request.guest_macs = {*MacAddress::parse("52:54:00:aa:bb:cc"), *MacAddress::parse("52:54:00:aa:bb:cd")};
  request.guests = {*IpRange::parse("10.60.0.7"), *IpRange::parse("fd00:60::7")};
  request.anti_spoof = true;
  policy::Rule rule;
  rule.name = "r";
  rule.users = {{policy::Everybody{}, std::nullopt}};
  rule.operations = {Operation::open};
  rule.bridges = std::vector{*policy::DevicePattern::parse("br0")};
  rule.guests = {*IpRange::parse("10.60.0.0/24"), *IpRange::parse("fd00:60::/64")};
  rule.infrastructure = {.dhcp_server = true, .router = true};
  for (const bool on_bridge : {true, false}) {
    if (on_bridge)
      request.bridge = IfName::parse("br0");
    else
      request.bridge.reset();
    const auto grant = policy::decide({.present = true, .rules = {rule}}, caller(1001), request, host);
    REQUIRE(grant);
    const auto plan = priv::make_plan(*grant, RequestId({}), host);
    REQUIRE(plan);
    const auto& sources = std::get<priv::PutAntiSpoof>(plan->changes()[1]).sources;
    CHECK(sources.macs == request.guest_macs);
    CHECK(sources.addresses == std::vector{*IpRange::parse("10.60.0.7"), *IpRange::parse("fd00:60::7")});
    CHECK(sources.link_local_of_others == (on_bridge ? std::vector{own, gateway} : std::vector<Ipv6>{}));
    CHECK(sources.infrastructure == Infrastructure{.dhcp_server = true, .router = on_bridge});
  }
  for (unsigned i = 0; i <= kMaxLinkLocalOfOthers; ++i)
    host.ipv6_addresses.push_back({7, *Ipv6::parse("fe80::7d1a:93c4:0:" + std::to_string(i)), 64, true});
  request.bridge = IfName::parse("br0");
  const auto grant = policy::decide({.present = true, .rules = {rule}}, caller(1001), request, host);
  REQUIRE(grant);
  const auto plan = priv::make_plan(*grant, RequestId({}), host);
  REQUIRE(!plan);
  CHECK(plan.error().what == "the bridge br0 has too many link-local addresses to filter");
}

TEST_CASE("plan: a network is routed by way of its guest, and a small one is published address by address") {
  auto host = small_host();
  OpenInterface request;
  request.guests = {*IpRange::parse("10.50.0.64/29"), *IpRange::parse("10.50.0.128/26"),
                    *IpRange::parse("fd00:51::/48"), *IpRange::parse("10.50.0.7")};
  const auto plan = priv::make_plan(root_grant(request, host), RequestId({}), host);
  REQUIRE(plan);
  std::vector<std::string> routes, published;
  for (const auto& change : plan->changes()) {
    const auto words = priv::done_in_words(change, "tap9");
    if (std::holds_alternative<priv::AddRoute>(change)) routes.push_back(words);
    if (std::holds_alternative<priv::AddProxyNeigh>(change)) published.push_back(words);
  }
  CHECK(routes == std::vector<std::string>{"10.50.0.7 routed to tap9", "10.50.0.64/29 routed to tap9 via 10.50.0.7",
                                           "10.50.0.128/26 routed to tap9 via 10.50.0.7",
                                           "fd00:51::/48 routed to tap9"});
  CHECK(published.size() == 9);
  CHECK(published.front() == "10.50.0.64 published on eth0");
  CHECK(published[7] == "10.50.0.71 published on eth0");
  CHECK(plan->notes() ==
        std::vector<std::string>{"10.50.0.128/26 not published on eth0: it is more than 32 IPv4 addresses; "
                                 "let the router of that LAN route it to this host"});
}

TEST_CASE("execute: a kernel without the classifier refuses a device, and says what to load") {
  FakeEffects effects(3, ENOENT);
  const auto outcome = run(MakeTap{ip("10.99.0.254")}, small_host(), effects);
  REQUIRE(!outcome);
  CHECK(outcome.error().what == "cannot make a TAP device for uid 0");
  CHECK(outcome.error().advice.contains("modprobe -a cls_bpf sch_ingress"));
  CHECK(effects.facts.empty());
}

TEST_CASE("execute: a tap on a bridge takes the bridge's MTU and a high MAC address before it is a port") {
  FakeEffects effects;
  const auto outcome = run(bridged("br0"), host_with_bridge(1400), effects);
  REQUIRE(outcome);
  CHECK(outcome->text == "tap9 up on bridge br0\n");
  CHECK(effects.of_the_tap == std::vector<std::string>{"mtu 9 1400", "mac 9 fe:0a:0b:0c:0d:0e", "master 9 7"});
  CHECK(outcome->words == std::vector<std::string>{"tap9 made for uid 0", "MTU 1400 on tap9",
                                                   "MAC address of tap9 begins with fe", "tap9 on bridge br0",
                                                   "tap9 up"});
  CHECK(effects.facts.empty());

  FakeEffects with;
  const auto headers = run(MakeBridgedTap{*IfName::parse("br0"), true}, host_with_bridge(), with);
  REQUIRE(headers);
  CHECK(headers->words.front() == "tap9 made for uid 0, with virtio-net headers");
  CHECK(with.facts == std::vector<std::string>{"virtio headers"});
}

TEST_CASE("execute: all that the native protocol can ask for, in an order that never opens more than was asked for") {
  FakeEffects effects;
  const auto host = small_host();
  const auto grant = root_grant(everything(), host);
  const auto plan = priv::make_plan(grant, RequestId({}), host, 0x80000001);
  REQUIRE(plan);
  const auto outcome = carry_out(*plan, host, effects);
  REQUIRE(outcome);
  CHECK(outcome->tap->queues.size() == 2);
  CHECK(outcome->tap->mac == *MacAddress::parse("52:54:00:11:22:33"));
  CHECK(outcome->tap->mtu == 1400);
  CHECK(effects.of_the_tap == std::vector<std::string>{"group 9 2147483649", "classifier 9 ", "mtu 9 1400",
                                                       "mac 9 52:54:00:11:22:33", "address 9 10.99.0.254/24",
                                                       "address 9 fd00:99::1/64"});
  CHECK(effects.facts == std::vector<std::string>{"forwarding 2", "forwarding 9", "proxy 10.50.0.7 2 marked",
                                                  "proxy_arp 9", "route 10.50.0.7 9", "route fd00:77::7 9"});
  CHECK(outcome->words ==
        std::vector<std::string>{"tap9 made for uid 0, with 2 queues",
                                 "only frames from 52:54:00:aa:bb:cc, 10.50.0.7, fd00:77::7 let in on tap9",
                                 "MTU 1400 on tap9", "MAC address 52:54:00:11:22:33 on tap9", "10.99.0.254/24 on tap9",
                                 "fd00:99::1/64 on tap9", "tap9 up", "10.50.0.7 routed to tap9",
                                 "fd00:77::7 routed to tap9", "proxy ARP on for tap9", "10.50.0.7 published on eth0",
                                 "forwarding on for tap9", "forwarding on for eth0"});
}

TEST_CASE("execute: a persistent device is made so once its caller has the answer, and is in no session's group") {
  OpenInterface request;
  request.device = IfName::parse("keep0");
  request.persistent = true;
  FakeEffects effects;
  const auto host = small_host();
  const auto grant = root_grant(request, host);
  const auto plan = priv::make_plan(grant, RequestId({}), host, 7);
  REQUIRE(plan);
  auto outcome = carry_out(*plan, host, effects);
  REQUIRE(outcome);
  CHECK(effects.facts.empty());
  REQUIRE(priv::complete(*outcome, effects));
  CHECK(effects.facts == std::vector<std::string>{"persistent 9"});
  CHECK(outcome->words == std::vector<std::string>{"tap9 made for uid 0", "tap9 up", "tap9 persistent"});
  REQUIRE(priv::complete(*outcome, effects));
  CHECK(outcome->words.size() == 3);
  CHECK(std::get<priv::MakeTapDevice>(plan->changes().front()).tag.persistent);
  CHECK(priv::rollback(*std::move(outcome), &host, effects).failures.empty());
  CHECK(effects.facts.empty());
}

TEST_CASE("execute: on a bridge guest addresses are the classifier's only, and the port may be isolated") {
  OpenInterface request;
  request.bridge = IfName::parse("br0");
  request.isolated = request.anti_spoof = true;
  request.guest_macs = {*MacAddress::parse("52:54:00:aa:bb:cc")};
  request.guests = {*IpRange::parse("10.60.0.7")};
  FakeEffects effects;
  const auto outcome = run(request, host_with_bridge(1400), effects);
  REQUIRE(outcome);
  CHECK(effects.of_the_tap == std::vector<std::string>{"classifier 9 ", "mtu 9 1400", "mac 9 fe:0a:0b:0c:0d:0e",
                                                       "master 9 7", "isolated 9 "});
  CHECK(effects.facts.empty());
}

TEST_CASE("execute: a device is removed with what publishes its guests") {
  auto host = small_host();
  host.routes.push_back(guest_route("10.50.0.7", 3));
  host.proxy_entries.push_back({2, ip("10.50.0.7"), rtnetlink::kProtocolForwarding});
  host.links[0].ipv4.forwarding = true;
  for (int step = -1; step < 3; ++step) {
    FakeEffects effects(step);
    effects.facts = {"forwarding 2", "link 3", "proxy 10.50.0.7 2 marked"};
    const auto outcome = run(RemoveInterface{*IfName::parse("tap0")}, host, effects);
    CHECK(outcome.has_value() == (step < 0));
    CHECK(effects.facts.size() == (step < 0 ? 0 : 3));
  }
}

TEST_CASE("execute: IPv6 that the administrator has not turned on is said, not passed over") {
  auto host = small_host();
  host.ipv6_routes.push_back(
      {.destination = *Ipv6::parse("fd00:50::"), .prefix_length = 64, .ifindex = 2, .gateway = {}});
  OpenInterface request;
  request.guests = {*IpRange::parse("fd00:50::7")};
  FakeEffects effects;
  const auto outcome = run(request, host, effects);
  REQUIRE(outcome);
  CHECK(effects.facts == std::vector<std::string>{"proxy fd00:50::7 2", "route fd00:50::7 9"});
  REQUIRE(outcome->notes.size() == 1);
  CHECK(outcome->notes[0] ==
        "fd00:50::7 is not reached from eth0 until the administrator turns that on: sysctl -w "
        "net.ipv6.conf.eth0.proxy_ndp=1 net.ipv6.conf.all.forwarding=1");
  host.ipv6_all.forwarding = host.links[0].ipv6.proxy_ndp = true;
  CHECK(run(request, host, effects)->notes.empty());
}

TEST_CASE("execute: a bridge that takes no port, or has no MTU that a tap can have, says what to do") {
  struct Case {
    int step;
    int errnum;
    const char* what;
    const char* advice;
  };
  for (const auto& c : {Case{2, EINVAL, "cannot set the MTU of the new TAP device to 1500", "lowers the MTU"},
                        Case{4, EXFULL, "cannot put the new TAP device on the bridge br0", "as many ports as it can"},
                        Case{4, ENODEV, "cannot put the new TAP device on the bridge br0", ""}}) {
    FakeEffects effects(c.step, c.errnum);
    const auto outcome = run(bridged("br0"), host_with_bridge(), effects);
    REQUIRE(!outcome);
    CHECK(outcome.error().what == c.what);
    CHECK_MESSAGE(outcome.error().advice.find(c.advice) != std::string::npos, outcome.error().advice);
  }
}

TEST_CASE("execute: an address on a LAN, and exactly that taken back") {
  auto host = small_host();
  FakeEffects effects;
  const auto added = run(add("tap0", "10.50.0.7"), host, effects);
  REQUIRE(added);
  CHECK(added->text == "10.50.0.7 routed to tap0, published on eth0\n");
  CHECK(effects.facts == std::vector<std::string>{"forwarding 2", "forwarding 3", "proxy 10.50.0.7 2 marked",
                                                  "proxy_arp 3", "route 10.50.0.7 3"});

  host.routes.push_back(guest_route("10.50.0.7", 3));
  host.proxy_entries.push_back({2, ip("10.50.0.7"), rtnetlink::kProtocolForwarding});
  host.links[0].ipv4 = {.forwarding = true, .proxy_arp = false};
  host.links[1].ipv4 = {.forwarding = true, .proxy_arp = true};
  const auto deleted = run(del("tap0", "10.50.0.7"), host, effects);
  REQUIRE(deleted);
  CHECK(deleted->text == "10.50.0.7 no longer routed to tap0, no longer published on eth0\n");
  CHECK(effects.facts.empty());
}

TEST_CASE("execute: what fails half-way is taken back whole, at every step") {
  const Request requests[] = {add("tap0", "10.50.0.7"),
                              MakeTap{ip("10.99.0.254")},
                              bridged("br0"),
                              OpenEthertap{*IfName::parse("tap7"), ip("10.99.0.254")},
                              everything(),
                              lasting()};
  for (const Request& request : requests) {
    FakeEffects counting;
    REQUIRE(run(request, host_with_bridge(), counting));
    for (const Code code : {Code::kernel, Code::no_answer})
      for (int step = 0; step < counting.steps; ++step) {
        FakeEffects effects(step, ENOMEM, code);
        const auto outcome = run(request, host_with_bridge(), effects);
        REQUIRE(!outcome);
        CHECK(outcome.error().code == code);
        CHECK(outcome.error().errnum == ENOMEM);
        CHECK(outcome.error().what.starts_with("cannot "));
        CHECK(!outcome.error().what.contains("(left: "));
        std::erase(effects.facts, "virtio headers");  // of the device that is gone
        CHECK(effects.facts.empty());
      }
  }
}

TEST_CASE("execute: a device that cannot be made persistent is taken back whole") {
  FakeEffects counting;
  REQUIRE(run(lasting(), small_host(), counting));
  for (const Code code : {Code::kernel, Code::no_answer}) {
    FakeEffects effects(counting.steps, EPERM, code);
    auto outcome = run(lasting(), small_host(), effects);
    REQUIRE(outcome);
    const auto completed = priv::complete(*outcome, effects);
    REQUIRE(!completed);
    CHECK(completed.error().what == "cannot make tap9 persistent");
    CHECK(completed.error().errnum == EPERM);
    const auto host = small_host();
    CHECK(priv::rollback(*std::move(outcome), &host, effects).failures.empty());
    CHECK(effects.facts.empty());
  }
}

TEST_CASE("execute: where taking back fails as well, the error says what is left") {
  // The route is made, turning proxy ARP on fails, and from then on everything.
  class Dead : public FakeEffects {
   public:
    Dead() : FakeEffects(1) {}
    Result<void> delete_route(int, const IpRange&, const std::optional<IpAddress>&) override {
      return fail_errno(Code::kernel, EIO, "the kernel said no");
    }
  } effects;
  const auto outcome = run(add("tap0", "10.50.0.7"), small_host(), effects);
  REQUIRE(!outcome);
  CHECK(outcome.error().line() ==
        "cannot turn proxy ARP on for tap0 (left: cannot take back the route for 10.50.0.7 to tap0: Input/output error "
        "(EIO)): Cannot allocate memory (ENOMEM)");
}

TEST_CASE("execute: a delete that fails half-way leaves all as it was") {
  auto host = small_host();
  FakeEffects full;
  REQUIRE(run(add("tap0", "10.50.0.7"), host, full));
  host.routes.push_back(guest_route("10.50.0.7", 3));
  host.proxy_entries.push_back({2, ip("10.50.0.7"), rtnetlink::kProtocolForwarding});
  host.links[0].ipv4.forwarding = host.links[1].ipv4.forwarding = host.links[1].ipv4.proxy_arp = true;
  for (const Code code : {Code::kernel, Code::no_answer})
    for (int step = 0; step < 5; ++step) {
      FakeEffects effects(step, ENOMEM, code);
      effects.facts = full.facts;
      REQUIRE(!run(del("tap0", "10.50.0.7"), host, effects));
      CHECK(effects.facts == full.facts);
    }
}

TEST_CASE("execute: a delete does not disturb the device's other address") {
  auto host = small_host();
  for (const auto* address : {"10.50.0.7", "10.50.0.8"}) {
    host.routes.push_back(guest_route(address, 3));
    host.proxy_entries.push_back({2, ip(address), rtnetlink::kProtocolForwarding});
  }
  host.links[0].ipv4.forwarding = host.links[1].ipv4.forwarding = host.links[1].ipv4.proxy_arp = true;
  FakeEffects effects;
  const auto outcome = run(del("tap0", "10.50.0.7"), host, effects);
  REQUIRE(outcome);
  CHECK(outcome->words ==
        std::vector<std::string>{"10.50.0.7 no longer published on eth0", "10.50.0.7 no longer routed to tap0"});
}

TEST_CASE("execute: forwarding that the administrator turned on is not turned off") {
  auto host = small_host();
  host.links[0].ipv4.forwarding = true;
  FakeEffects adding;
  REQUIRE(run(add("tap0", "10.50.0.7"), host, adding));
  CHECK(std::ranges::count(adding.facts, "proxy 10.50.0.7 2") == 1);  // not marked

  host.routes.push_back(guest_route("10.50.0.7", 3));
  host.proxy_entries.push_back({2, ip("10.50.0.7"), rtnetlink::kProtocol});
  FakeEffects deleting;
  deleting.facts = {"forwarding 2"};
  REQUIRE(run(del("tap0", "10.50.0.7"), host, deleting));
  CHECK(deleting.facts == std::vector<std::string>{"forwarding 2"});

  // Turned on for all devices while the entry stood: from then on it is the administrator's.
  host.proxy_entries[0].protocol = rtnetlink::kProtocolForwarding;
  host.all.forwarding = true;
  REQUIRE(run(del("tap0", "10.50.0.7"), host, deleting));
  CHECK(deleting.facts == std::vector<std::string>{"forwarding 2"});
}

TEST_CASE("execute: an address that is there already is completed, not made again") {
  auto host = small_host();
  host.routes.push_back(guest_route("10.50.0.7", 3));
  FakeEffects effects;
  const auto outcome = run(add("tap0", "10.50.0.7"), host, effects);
  REQUIRE(outcome);
  CHECK(std::ranges::count(effects.facts, "route 10.50.0.7 3") == 0);
  CHECK(std::ranges::count(effects.facts, "proxy 10.50.0.7 2 marked") == 1);
}

TEST_CASE("execute: somebody else's proxy entry is left alone, and said") {
  auto host = small_host();
  host.proxy_entries.push_back({2, ip("10.50.0.7"), 0});
  FakeEffects effects;
  const auto outcome = run(add("tap0", "10.50.0.7"), host, effects);
  REQUIRE(outcome);
  CHECK(outcome->text ==
        "10.50.0.7 routed to tap0\n10.50.0.7 published on eth0 by somebody else already, and left so\n");
  CHECK(effects.facts == std::vector<std::string>{"proxy_arp 3", "route 10.50.0.7 3"});
}

TEST_CASE("execute: nothing to take back is an error, also when the address is another device's") {
  auto host = small_host();
  FakeEffects effects;
  CHECK(run(del("tap0", "10.50.0.7"), host, effects).error().code == Code::not_found);
  host.links.push_back(tap(4, "tap1", 1001));
  host.routes.push_back(guest_route("10.50.0.7", 4));
  CHECK(run(del("tap0", "10.50.0.7"), host, effects).error().code == Code::not_found);
  CHECK(effects.steps == 0);
}

TEST_CASE("execute: a route that came in between is a conflict") {
  FakeEffects effects(0, EEXIST);
  const auto outcome = run(add("tap0", "10.50.0.7"), small_host(), effects);
  REQUIRE(!outcome);
  CHECK(outcome.error().code == Code::conflict);
}

TEST_CASE("execute: garbage is collected piece by piece, and what is gone already is no failure") {
  auto host = small_host();
  host.proxy_entries = {{2, ip("10.50.0.7"), rtnetlink::kProtocolForwarding},
                        {2, ip("10.50.0.8"), rtnetlink::kProtocolForwarding},
                        {2, ip("10.50.0.9"), 0}};
  host.links[0].ipv4.forwarding = true;
  host.links.push_back(tap(5, "tap5", 1001));
  host.links.back().persistent = true;
  host.links.back().carrier = false;
  REQUIRE(policy::has_garbage(host));
  FakeEffects effects(1, ENOENT);
  effects.facts = {"forwarding 2", "link 5", "proxy 10.50.0.7 2 marked", "proxy 10.50.0.8 2 marked"};
  const auto outcome = run(CollectGarbage{}, host, effects);
  REQUIRE(outcome);
  CHECK(std::ranges::count(effects.facts, "forwarding 2") == 0);
  CHECK(std::ranges::count(effects.facts, "link 5") == 0);
  CHECK(std::ranges::count(effects.facts, "proxy 10.50.0.8 2 marked") == 0);

  FakeEffects idle;
  CHECK(!policy::has_garbage(small_host()));
  CHECK(run(CollectGarbage{}, small_host(), idle)->text == "nothing was left behind\n");
  CHECK(idle.steps == 0);
}

TEST_CASE("execute: what is not garbage stays: a live guest keeps its LAN's forwarding") {
  auto host = small_host();
  host.routes.push_back(guest_route("10.50.0.7", 3));
  host.proxy_entries = {{2, ip("10.50.0.7"), rtnetlink::kProtocolForwarding},
                        {2, ip("10.50.0.8"), rtnetlink::kProtocolForwarding}};
  host.links[0].ipv4.forwarding = true;
  FakeEffects effects;
  const auto outcome = run(CollectGarbage{}, host, effects);
  REQUIRE(outcome);
  CHECK(outcome->words == std::vector<std::string>{"10.50.0.8 no longer published on eth0"});
}

TEST_CASE("rollback: a grant that nobody heard leaves nothing") {
  FakeEffects effects;
  auto outcome = run(add("tap0", "10.50.0.7"), small_host(), effects);
  REQUIRE(outcome);
  const auto host = small_host();
  CHECK(priv::rollback(*std::move(outcome), &host, effects).failures.empty());
  CHECK(effects.facts.empty());
}

TEST_CASE("execute: a decision expires, and then nothing is done") {
  auto host = small_host();
  for (const auto age : {std::chrono::milliseconds(0), std::chrono::milliseconds(1000)}) {
    host.read_at = boot_time() - age;
    const auto plan = priv::make_plan(root_grant(MakeTap{}, host), RequestId({}), host);
    REQUIRE(plan);
    CHECK(plan->has_expired() == (age.count() != 0));
    FakeEffects effects;
    const auto outcome = priv::execute(*plan, effects);
    CHECK(outcome.has_value() == (age.count() == 0));
    if (outcome) continue;
    CHECK(outcome.error().has_expired);
    CHECK(outcome.error().error.code == Code::busy);
    CHECK(effects.steps == 0);
  }
  host.read_at = {};
  const auto plan = priv::make_plan(root_grant(CollectGarbage{}, host), RequestId({}), host);
  FakeEffects effects;
  CHECK(priv::execute(*plan, effects));  // there is nothing to do, at any time
}

TEST_CASE("execute: a decision that expires half-way goes no further, and garbage is left for the next request") {
  // Held up in the middle, as by a signal.
  class Stopped : public FakeEffects {
    Result<void> add_address(int i, const IpInterface& address) override {
      timespec pause{.tv_sec = 0, .tv_nsec = 200'000'000};
      ::nanosleep(&pause, nullptr);
      return FakeEffects::add_address(i, address);
    }
  } effects;
  auto host = small_host();
  host.read_at = boot_time() - priv::kDecisionLasts + std::chrono::milliseconds(100);
  const auto plan = priv::make_plan(root_grant(MakeTap{ip("10.99.0.254")}, host), RequestId({}), host);
  REQUIRE(plan);
  auto outcome = priv::execute(*plan, effects);
  REQUIRE(!outcome);
  CHECK(outcome.error().error.code == Code::busy);
  CHECK(!outcome.error().has_expired);              // something was done: it is not for another try in this process
  CHECK(outcome.error().done.changes.size() == 2);  // and not up
  CHECK(priv::rollback(std::move(outcome.error().done), nullptr, effects).done ==
        std::vector<std::string>{"tap9 gone"});
}

TEST_CASE("execute: the end of a session is planned from the grant of a session only, and does not expire") {
  const auto host = small_host();
  const RequestId id({0x12, 0x34, 0x56, 0x78});
  CHECK(priv::session_group(id) == 0x92345678);
  const auto end = priv::plan_session_end(root_grant(OpenSession{}, host), id);
  REQUIRE(end);
  CHECK(!end->has_expired());
  FakeEffects effects;
  effects.facts = {"group 2452903544", "group 7"};
  REQUIRE(priv::execute(*end, effects));
  CHECK(effects.facts == std::vector<std::string>{"group 7"});
  CHECK(priv::plan_session_end(root_grant(MakeTap{}, host), id).error().code == Code::bug);
  CHECK(priv::plan_session_end(root_grant(CollectGarbage{}, host), id).error().code == Code::bug);
}

TEST_CASE("take back: what another guest needs by now stays") {
  auto host = small_host();
  FakeEffects effects;
  auto outcome = run(add("tap0", "10.50.0.7"), host, effects);
  REQUIRE(outcome);
  const auto made = effects.facts;
  const auto back_when = [&](auto meanwhile) {
    FakeEffects fresh;
    auto again = run(add("tap0", "10.50.0.7"), small_host(), fresh);
    auto now = small_host();
    meanwhile(now);
    const auto taken = priv::rollback(*std::move(again), &now, fresh);
    CHECK(taken.failures.empty());
    CHECK(taken.words() == taken.done);
    return fresh.facts;
  };
  CHECK(back_when([](auto&) {}).empty());
  // Another guest was published on the LAN.
  CHECK(back_when([](auto& now) {
          now.proxy_entries.push_back({2, ip("10.50.0.8"), rtnetlink::kProtocolForwarding});
        }) == std::vector<std::string>{"forwarding 2"});
  // An entry that is somebody else's needs nothing of this toolkit.
  CHECK(back_when([](auto& now) { now.proxy_entries.push_back({2, ip("10.50.0.8"), 0}); }).empty());
  // The device has another guest address.
  CHECK(back_when([](auto& now) { now.routes.push_back(guest_route("10.50.0.8", 3)); }) ==
        std::vector<std::string>{"forwarding 3", "proxy_arp 3"});
  // The address is another device's guest by now, as it was lost on this one.
  CHECK(back_when([](auto& now) { now.routes.push_back(guest_route("10.50.0.7", 4)); }) ==
        std::vector<std::string>{"proxy 10.50.0.7 2 marked"});
  // Nothing is known of the others.
  const auto taken = priv::rollback(*std::move(outcome), nullptr, effects);
  CHECK(effects.facts ==
        std::vector<std::string>{"forwarding 2", "forwarding 3", "proxy 10.50.0.7 2 marked", "proxy_arp 3"});
  CHECK(taken.done == std::vector<std::string>{"10.50.0.7 no longer routed to tap0"});
}
