// What `umlnet ls` makes of the kernel's state.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "libumlnet/cli/holdings.h"
#include "libumlnet/cli/holdings_dot.h"
#include "libumlnet/cli/holdings_json.h"
#include "libumlnet/cli/holdings_table.h"

using namespace umlnet;
using namespace umlnet::cli;

namespace {

constexpr uid_t kAlice = 4'000'000'001, kBob = 4'000'000'002;  // nobody has an account for them

rtnetlink::Link tap(int ifindex, const std::string& name, uid_t uid) {
  rtnetlink::Link link;
  link.ifindex = ifindex;
  link.name = name;
  link.up = link.carrier = link.tap = true;
  link.kind = "tun";
  link.tun_owner = uid;
  link.queues = 1;
  link.alias = DeviceTag{uid, RequestId({}), std::chrono::sys_days(std::chrono::year(2026) / 11 / 24), "tuntap"}.str();
  return link;
}

rtnetlink::Link eth(int ifindex, const std::string& name) {
  rtnetlink::Link link;
  link.ifindex = ifindex;
  link.name = name;
  return link;
}

Ipv4 ipv4(const char* text) { return *Ipv4::parse(text); }
Ipv6 ipv6(const char* text) { return *Ipv6::parse(text); }

policy::HostState two_users() {
  policy::HostState state;
  state.links = {eth(1, "lo"), eth(2, "eth0"), tap(5, "tap1", kBob), tap(4, "tap0", kAlice)};
  state.links[1].ipv4.forwarding = true;
  state.links[3].rx_bytes = 1'234'567;
  state.links[3].tx_bytes = 987;
  state.addresses = {{2, ipv4("10.50.0.1"), Ipv4Mask(24), {}}, {4, ipv4("10.99.0.254"), Ipv4Mask(32), {}}};
  state.ipv6_addresses = {{4, ipv6("fe80::1"), 64, true}, {4, ipv6("fd00:99::fe"), 64, false}};
  state.routes = {{ipv4("10.99.0.10"), Ipv4Mask(32), 4, {}, rtnetlink::kProtocol},
                  {ipv4("10.50.0.7"), Ipv4Mask(32), 4, {}, rtnetlink::kProtocol},
                  {ipv4("10.50.0.0"), Ipv4Mask(24), 2, {}, 2}};
  state.ipv6_routes = {{ipv6("fd00:50::7"), 128, 5, std::nullopt, rtnetlink::kProtocol}};
  state.proxy_entries = {{2, ipv4("10.50.0.7"), rtnetlink::kProtocolForwarding}, {2, ipv4("10.50.0.99"), 0}};
  state.ipv6_proxy_entries = {{2, ipv6("fd00:50::7"), rtnetlink::kProtocol}};
  return state;
}

const Microseconds kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + std::chrono::hours(3);

}  // namespace

TEST_CASE("holdings: devices with their users, addresses and LANs") {
  const auto holdings =
      put_together(two_users(), {{"tap0", 4711, kAlice, "linux", false}, {"tap0", 4712, kAlice, "evil\x1b[2J", false}});
  REQUIRE(holdings.devices.size() == 2);
  CHECK(holdings.leftovers.empty());
  const auto& alices = holdings.devices[0];
  CHECK(alices.name == "tap0");
  CHECK(alices.uid == kAlice);
  CHECK(alices.gateways == std::vector<std::string>{"10.99.0.254", "fd00:99::fe"});
  REQUIRE(alices.guests.size() == 2);
  CHECK(alices.guests[0].address == "10.50.0.7");
  CHECK(alices.guests[0].lans == std::vector<std::string>{"eth0"});
  CHECK(alices.guests[1].address == "10.99.0.10");
  CHECK(alices.guests[1].lans.empty());
  CHECK(!alices.leftover);
  REQUIRE(holdings.devices[1].guests.size() == 1);
  CHECK(holdings.devices[1].guests[0].address == "fd00:50::7");
  CHECK(holdings.devices[1].guests[0].lans == std::vector<std::string>{"eth0"});
  REQUIRE(holdings.lans.size() == 1);
  CHECK(holdings.lans[0].addresses == std::vector<std::string>{"10.50.0.1/24"});
  CHECK(holdings_table(holdings, kNow, Zone::utc) ==
        "DEVICE  USER        HOLDER            GATEWAY      GUESTS      LAN   RX/TX     SINCE\n"
        "tap0    4000000001  linux 4711        10.99.0.254  10.50.0.7   eth0  1.2M/987  00:00:00\n"
        "                    evil\\x1b[2J 4712  fd00:99::fe  10.99.0.10  -\n"
        "tap1    4000000002  -                 -            fd00:50::7  eth0  0/0       00:00:00\n");
}

TEST_CASE("holdings: what is special about a device") {
  auto state = two_users();
  auto& alices = state.links[3];
  alices.persistent = alices.isolated = true;
  alices.queues = 2;
  alices.alias = DeviceTag{kAlice, RequestId({}), std::nullopt, "open device=sealed", true}.str();
  auto& bobs = state.links[2];
  bobs.up = false;
  bobs.alias = DeviceTag{kBob, RequestId({}), std::nullopt, "open sealed device=tap1"}.str();
  const auto holdings = put_together(state, {});
  const auto& [hers, his] = std::tie(holdings.devices[0], holdings.devices[1]);
  CHECK((hers.persistent && hers.isolated && !hers.sealed && !hers.leftover));
  CHECK((!his.persistent && !his.isolated && his.sealed));
  const auto table = holdings_table(holdings, kNow, Zone::utc);
  CHECK(table.find("\ntap0 (2 queues, persistent, isolated)  ") != std::string::npos);
  CHECK(table.find("\ntap1 (sealed, down)  ") != std::string::npos);
  const auto json = nlohmann::json::parse(holdings_json(holdings))["devices"];
  CHECK(json[0]["persistent"] == true);
  CHECK(json[0]["isolated"] == true);
  CHECK(json[0]["sealed"] == false);
  CHECK(json[1]["sealed"] == true);
  const auto dot = holdings_dot(holdings, "", kNow, Zone::utc);
  for (const auto* word : {"persistent", "isolated", "sealed"})
    CHECK(dot.find(">" + std::string(word) + "<") != std::string::npos);
}

TEST_CASE("holdings: nothing, said so") {
  CHECK(holdings_table(put_together({}, {}), kNow, Zone::utc).starts_with("uml_net has nothing on this host"));
  CHECK(holdings_json(put_together({}, {})).find("\"devices\": []") != std::string::npos);
}

TEST_CASE("holdings: what is left behind, or at odds, is shown with its remedy") {
  auto state = two_users();
  auto& bobs = state.links[2];
  bobs.tun_owner = kAlice;
  auto& alices = state.links[3];
  alices.persistent = true;
  alices.carrier = false;
  state.routes.push_back({ipv4("10.99.0.77"), Ipv4Mask(32), 2, {}, rtnetlink::kProtocol});
  state.proxy_entries.push_back({2, ipv4("10.50.0.8"), rtnetlink::kProtocol});
  state.ipv6_proxy_entries.push_back({2, ipv6("fd00:50::8"), rtnetlink::kProtocol});
  const auto holdings = put_together(state, {});
  REQUIRE(holdings.devices.size() == 2);
  REQUIRE(holdings.devices[0].leftover);
  CHECK(holdings.devices[0].leftover->remedy == "uml_net gc");
  REQUIRE(holdings.devices[1].leftover);
  CHECK(holdings.devices[1].leftover->why.find("gave it to uid 4000000001") != std::string::npos);
  REQUIRE(holdings.leftovers.size() == 3);
  CHECK(holdings.leftovers[0].what == "route to 10.99.0.77 on eth0");
  CHECK(holdings.leftovers[0].remedy == "as root: ip route delete 10.99.0.77 dev eth0 proto 117");
  CHECK(holdings.leftovers[1].what == "10.50.0.8 published on eth0");
  CHECK(holdings.leftovers[1].remedy == "uml_net gc");
  CHECK(holdings.leftovers[2].what == "fd00:50::8 published on eth0");
  // What the helper takes for garbage, and nothing else.
  CHECK(policy::has_garbage(state));
  const auto text = holdings_table(holdings, kNow, Zone::utc);
  CHECK(text.find("tap0 (persistent) !") != std::string::npos);
  CHECK(text.find("Left behind, or at odds:\n  device tap0: made persistent") != std::string::npos);
}

TEST_CASE("holdings: a process in another network namespace counts where nothing speaks against it") {
  const auto state = two_users();
  const TapHolder here{"tap0", 1, kAlice, "here", false}, there{"tap0", 2, kAlice, "there", true},
      strangers{"tap1", 3, kAlice, "strangers", true};
  CHECK(put_together(state, {here, there, strangers}).devices[0].holders.size() == 1);
  const auto holdings = put_together(state, {there, strangers});
  REQUIRE(holdings.devices[0].holders.size() == 1);
  CHECK(holdings.devices[0].holders[0].elsewhere);
  CHECK(holdings.devices[1].holders.empty());
  CHECK(holdings_table(holdings, kNow, Zone::utc).find("there 2?") != std::string::npos);
}

TEST_CASE("holdings: a picture quotes what others chose") {
  auto state = two_users();
  state.links[3].name = R"(a"<b>\&)";
  const auto dot = holdings_dot(put_together(state, {{R"(a"<b>\&)", 4711, kAlice, "<script>\"\n", false}}),
                                "host \"x\"", kNow, Zone::utc);
  CHECK(dot.starts_with("digraph umlnet {"));
  CHECK(dot.ends_with("}\n"));
  CHECK(dot.find("label=\"host \\\"x\\\"\"") != std::string::npos);
  CHECK(dot.find("<b>a&quot;&lt;b&gt;\\&amp;</b>") != std::string::npos);
  CHECK(dot.find(R"("device a\"<b>\\&")") != std::string::npos);
  CHECK(dot.find("&lt;script&gt;&quot;\\x0a 4711") != std::string::npos);
  CHECK(std::ranges::all_of(dot, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
}

TEST_CASE(
    "holdings: a network behind a guest has all that is published of it, and a device for another is no leftover") {
  auto state = two_users();
  state.routes.push_back({ipv4("10.50.0.64"), Ipv4Mask(29), 4, ipv4("10.50.0.7"), rtnetlink::kProtocol});
  for (const auto* address : {"10.50.0.64", "10.50.0.71"})
    state.proxy_entries.push_back({2, ipv4(address), rtnetlink::kProtocol});
  auto& bobs = state.links[2];
  bobs.tun_owner = kAlice;
  bobs.alias = DeviceTag{kBob, RequestId({}), std::nullopt, "open persist", true, DeviceOwner{.id = kAlice}}.str();
  const auto holdings = put_together(state, {});
  CHECK(holdings.leftovers.empty());
  for (const auto& device : holdings.devices) CHECK(!device.leftover);
  const auto& guests = holdings.devices[0].guests;
  REQUIRE(guests.size() == 3);
  CHECK(guests[1].address == "10.50.0.64/29");
  CHECK(guests[1].lans == std::vector<std::string>{"eth0"});
}
