// What devices lack by their marks, and what the toolkit does about it.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "fake_host.h"
#include "policy/decide.h"
#include "policy/upkeep.h"
#include "uml_net/priv/plan.h"

using namespace umlnet;
using namespace umlnet::test;

namespace {

constexpr int kLan = 2, kTap = 3;

// small_host() with 10.50.0.7 behind tap0, published on eth0, and all that goes with it.
policy::HostState host_with_guest() {
  auto host = small_host();
  host.routes.push_back(guest_route("10.50.0.7", kTap));
  host.proxy_entries.push_back({kLan, ip("10.50.0.7"), rtnetlink::kProtocol});
  for (auto& link : host.links) link.ipv4 = {.forwarding = true, .proxy_arp = link.tap};
  host.links[0].alternative_names = {name_of_forwarding(kLan), "wan"};
  host.links[1].alternative_names = names_of({*IpRange::parse("10.50.0.7"), {"eth0"}});
  return host;
}

std::vector<std::string> collected(const policy::HostState& host) {
  const auto grant = policy::decide({}, caller(1002), CollectGarbage{}, host);
  REQUIRE(grant);
  const auto plan = priv::make_plan(*grant, RequestId({}), host);
  REQUIRE(plan);
  std::vector<std::string> words;
  for (const auto& change : plan->changes()) {
    const auto* mark = std::get_if<priv::SetMark>(&change);
    words.push_back(mark != nullptr ? mark->name + (mark->on ? " on " : " off ") + mark->device.name
                                    : priv::done_in_words(change, "new"));
  }
  CHECK(policy::has_garbage(host) == !words.empty());
  return words;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("upkeep: a host as it should be lacks nothing") {
  CHECK(policy::upkeep_of(host_with_guest()).empty());
  CHECK(collected(host_with_guest()).empty());
  CHECK(collected(small_host()).empty());
}

TEST_CASE("upkeep: what events took is restored") {
  auto host = host_with_guest();
  host.routes.pop_back();
  CHECK(collected(host) == Words{"10.50.0.7 routed to tap0"});
  host.links[1].up = false;
  CHECK(collected(host).empty());
  host = host_with_guest();
  host.proxy_entries.clear();
  CHECK(collected(host) == Words{"10.50.0.7 published on eth0"});
  host.links[0].up = false;
  CHECK(collected(host).empty());
  host = host_with_guest();
  host.proxy_entries.clear();
  host.links[0].alternative_names.clear();  // it was made anew
  host.links[0].ipv4.forwarding = false;
  CHECK(collected(host) ==
        Words{"10.50.0.7 published on eth0", "umlnet:forwarding:2 on eth0", "forwarding on for eth0"});
  host.addresses.erase(host.addresses.begin());  // and has no address yet
  CHECK(collected(host).empty());
}

TEST_CASE("upkeep: what is somebody else's by now is not") {
  auto host = host_with_guest();
  host.links.push_back(tap(4, "tap1", 1002));
  host.routes.back().ifindex = 4;
  CHECK(policy::upkeep_of(host).routes.empty());
  host = host_with_guest();
  host.proxy_entries[0].protocol = 0;
  CHECK(collected(host).empty());
}

TEST_CASE("upkeep: forwarding goes off when no guest needs it, and a mark that says so goes with it") {
  auto host = host_with_guest();
  host.routes.pop_back();
  host.links.pop_back();
  CHECK(collected(host) ==
        Words{"forwarding off for eth0", "umlnet:forwarding:2 off eth0", "10.50.0.7 no longer published on eth0"});
  host.proxy_entries.clear();
  CHECK(collected(host) == Words{"forwarding off for eth0", "umlnet:forwarding:2 off eth0"});
  host.links[0].ipv4.forwarding = false;
  CHECK(collected(host) == Words{"umlnet:forwarding:2 off eth0"});
  host.links[0].ipv4.forwarding = host.all.forwarding = true;  // it is the administrator's
  CHECK(collected(host) == Words{"umlnet:forwarding:2 off eth0"});
  host.links[0].alternative_names = {"wan", name_of_forwarding(7)};  // of another device
  CHECK(collected(host).empty());
}

TEST_CASE("upkeep: a guest whose route is lost keeps its address") {
  auto host = host_with_guest();
  host.routes.pop_back();
  CHECK(host.address_in_use(ip("10.50.0.7"), 9, 1002) == "already routed to another device");
  CHECK(!host.address_in_use(ip("10.50.0.7"), kTap, 1001));
  CHECK(host.guest_network_in_use(*IpRange::parse("10.50.0.0/29"), 1002));
  CHECK(!policy::is_stale(host, host.proxy_entries[0]));
}

TEST_CASE("upkeep: a guest whose route is lost keeps its place: in networks of others, and in its user's limits") {
  auto host = host_with_guest();
  host.links.push_back(tap(4, "tap1", 1002));
  host.addresses.clear();
  host.routes = {guest_route("10.77.0.9", 4)};
  host.links[1].alternative_names = names_of({*IpRange::parse("10.77.0.7"), {}, {}});
  CHECK(host.network_in_use(*IpInterface::parse("10.77.0.1/24"), 1002) == "holds an address of another device");
  CHECK(host.network_in_use(*IpInterface::parse("10.77.0.1/29"), 1001) == std::nullopt);
  CHECK(host.addresses_of(1001) == 1);
  CHECK(host.addresses_of(1002) == 1);
  // An administrator's own route to just that address is no loss.
  host.routes.push_back(route("10.77.0.7", 32, kLan));
  CHECK(policy::upkeep_of(host).routes.empty());
}

TEST_CASE("upkeep: a network of a router guest is restored by way of the guest") {
  auto host = small_host();
  host.links[1].alternative_names = names_of({*IpRange::parse("10.51.7.0/24"), {}, {"eth0"}, ip("10.50.0.7")});
  const auto more = names_of({*IpRange::parse("10.50.0.7"), {}, {"eth0"}});
  host.links[1].alternative_names.insert(host.links[1].alternative_names.end(), more.begin(), more.end());
  CHECK(collected(host) == Words{"10.50.0.7 routed to tap0", "10.51.7.0/24 routed to tap0 via 10.50.0.7",
                                 "forwarding on for tap0", "umlnet:forwarding:2 on eth0", "forwarding on for eth0"});
}
