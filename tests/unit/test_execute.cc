// Plans and their execution against a host of plain values on which any step can fail.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

#include "fake_host.h"
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

  Result<priv::NewTap> make_tap(uid_t, const std::optional<IfName>&, priv::TapFrames frames) override {
    if (auto ok = step(); !ok) return std::unexpected(ok.error());
    if (frames == priv::TapFrames::headed) facts.emplace_back("virtio headers");
    if (frames == priv::TapFrames::unfinished) of_the_tap.emplace_back("unfinished frames");
    return priv::NewTap{*IfName::parse("tap9"), 9, *MacAddress::parse("02:0a:0b:0c:0d:0e"), unique_fd()};
  }
  Result<void> set_alias(int, const std::string&) override { return step(); }
  Result<void> add_address(int, Ipv4) override { return step(); }
  Result<void> set_up(int) override { return step(); }
  Result<void> set_mtu(int i, unsigned mtu) override { return say("mtu", i, std::to_string(mtu)); }
  Result<void> set_mac(int i, const MacAddress& mac) override { return say("mac", i, mac.str()); }
  Result<void> set_master(int i, int bridge) override { return say("master", i, std::to_string(bridge)); }
  Result<void> add_route(int i, Ipv4 a) override { return put(true, "route " + at(i, a)); }
  Result<void> delete_route(int i, Ipv4 a) override { return put(false, "route " + at(i, a)); }
  Result<void> publish(int i, Ipv4 a, std::uint8_t protocol) override {
    return put(true, "proxy " + at(i, a) + (protocol == rtnetlink::kProtocolForwarding ? " marked" : ""));
  }
  Result<void> withdraw(int i, Ipv4 a) override {
    auto withdrawn = put(false, "proxy " + at(i, a));
    if (withdrawn || withdrawn.error().code == Code::no_answer) std::erase(facts, "proxy " + at(i, a) + " marked");
    return withdrawn;
  }
  Result<void> set_proxy_arp(int i, bool on) override { return put(on, "proxy_arp " + std::to_string(i)); }
  Result<void> set_forwarding(int i, bool on) override { return put(on, "forwarding " + std::to_string(i)); }
  Result<void> delete_link(int i) override { return put(false, "link " + std::to_string(i)); }

 private:
  static std::string at(int ifindex, Ipv4 address) { return address.str() + " " + std::to_string(ifindex); }
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

policy::Grant root_grant(const Request& request, const policy::HostState& host) {
  auto grant = policy::decide({}, caller(0), request, host);
  REQUIRE(grant);
  return *grant;
}

Result<priv::Outcome> run(const Request& request, const policy::HostState& host, FakeEffects& effects) {
  const auto grant = root_grant(request, host);
  const auto plan = priv::make_plan(grant, RequestId({}), host);
  if (!plan) return std::unexpected(plan.error());
  return priv::execute(grant, *plan, host, effects);
}

}  // namespace

TEST_CASE("execute: a tap with a gateway") {
  FakeEffects effects;
  const auto outcome = run(MakeTap{ip("10.99.0.254")}, small_host(), effects);
  REQUIRE(outcome);
  CHECK(outcome->text == "tap9 up with 10.99.0.254/32\n");
  CHECK(outcome->words == std::vector<std::string>{"tap9 made for uid 0", "10.99.0.254/32 on tap9", "tap9 up"});
  FakeEffects without;
  CHECK(run(MakeTap{}, small_host(), without)->text == "tap9 up without a host address\n");
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
  const Request requests[] = {add("tap0", "10.50.0.7"), MakeTap{ip("10.99.0.254")}, bridged("br0"),
                              OpenEthertap{*IfName::parse("tap7"), ip("10.99.0.254")}};
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
        CHECK(outcome.error().what.find("taking back") == std::string::npos);
        CHECK(effects.facts.empty());
      }
  }
}

TEST_CASE("execute: where taking back fails as well, the error says what is left") {
  // The route is made, turning proxy ARP on fails, and from then on everything.
  class Dead : public FakeEffects {
   public:
    Dead() : FakeEffects(1) {}
    Result<void> delete_route(int, Ipv4) override { return fail_errno(Code::kernel, EIO, "the kernel said no"); }
  } effects;
  const auto outcome = run(add("tap0", "10.50.0.7"), small_host(), effects);
  REQUIRE(!outcome);
  CHECK(outcome.error().line() ==
        "cannot turn proxy ARP on for tap0 (and taking back what was done: cannot take back the route for 10.50.0.7 to "
        "tap0: Input/output error (EIO)): Cannot allocate memory (ENOMEM)");
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
  CHECK(outcome->text == "10.50.0.7 routed to tap0\npublished on eth0 by somebody else already, and left so\n");
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

TEST_CASE("take_back: a grant that nobody heard leaves nothing") {
  FakeEffects effects;
  auto outcome = run(add("tap0", "10.50.0.7"), small_host(), effects);
  REQUIRE(outcome);
  CHECK(priv::take_back(*std::move(outcome), effects).empty());
  CHECK(effects.facts.empty());
}
