// Reading less of the host changes no decision and no plan.
#include <doctest/doctest.h>

#include "policy/decide.h"
#include "policy/host_state_scope.h"
#include "tests/unit/fake_host.h"
#include "uml_net/priv/plan.h"

using namespace umlnet;
using namespace umlnet::test;
using policy::HostStateScope;

namespace {

policy::HostState cut(policy::HostState host, HostStateScope extent) {
  if (extent < HostStateScope::everything) host.all = host.default_device = {};
  if (extent < HostStateScope::addresses) {
    host.ipv6_addresses.clear();
    host.ipv6_routes.clear();
  }
  if (extent < HostStateScope::ipv4_addresses) {
    host.addresses.clear();
    host.routes.clear();
  }
  if (extent < HostStateScope::devices) {
    host.proxy_entries.clear();
    host.ipv6_proxy_entries.clear();
  }
  return host;
}

// What a decision and its plan come to, in words.
std::string outcome(const Request& request, uid_t uid, const policy::HostState& host) {
  policy::Rule rule;
  rule.name = "all";
  rule.users = {{policy::Everybody{}, {}}};
  rule.operations = {Operation::tuntap, Operation::ethertap, Operation::address, Operation::bridge, Operation::open};
  rule.gateways = rule.guests = {*IpRange::parse("0.0.0.0/0"), *IpRange::parse("::/0")};
  rule.devices = {*policy::DevicePattern::parse("*")};
  rule.bridges = {*policy::DevicePattern::parse("br0")};
  rule.max_devices = 2;
  rule.max_addresses = 2;
  const auto grant = policy::decide({.present = true, .rules = {rule}}, caller(uid), request, host);
  if (!grant) return grant.error().error.line();
  const auto plan = priv::make_plan(*grant, RequestId({}), host);
  if (!plan) return plan.error().line();
  std::string words;
  for (const auto& change : plan->changes()) words += priv::done_in_words(change, "new") + "; ";
  return words;
}

}  // namespace

TEST_CASE("extent: what a request needs of the host is read") {
  auto host = small_host();
  host.all.forwarding = true;
  host.default_device.proxy_arp = true;
  host.links.push_back(bridge(7, "br0", 1400));
  host.links.push_back(tap(8, "tap1", 1001));
  host.routes.push_back(guest_route("10.99.1.1", 3));
  const Ipv6 guest = *Ipv6::parse("fd00:99::7"), own = *Ipv6::parse("fd00:50::1");
  host.ipv6_addresses.push_back({2, own, 64});
  host.ipv6_routes.push_back({own, 64, 2, std::nullopt, 0});
  host.ipv6_routes.push_back({guest, 128, 3, std::nullopt, rtnetlink::kProtocol});
  const IfName tap7 = *IfName::parse("tap7");
  for (const uid_t uid : {0U, 1001U, 1002U}) {
    std::vector<Request> requests = {MakeTap{},
                                     bridged("br0"),
                                     bridged("eth0"),
                                     OpenEthertap{tap7, std::nullopt},
                                     OpenEthertap{*IfName::parse("tap0"), ip("10.50.0.1")},
                                     OpenInterface{.bridge = *IfName::parse("br0")},
                                     RemoveInterface{*IfName::parse("tap0")},
                                     CollectGarbage{},
                                     add("tap0", "10.50.0.7"),
                                     del("tap0", "10.99.1.1")};
    for (const auto* gateway : {"10.50.0.1", "10.50.0.254", "10.50.0.255", "10.99.1.1", "10.98.0.1"}) {
      requests.push_back(MakeTap{ip(gateway)});
      requests.push_back(OpenInterface{.addresses = {{ip(gateway), 24}}});
      requests.push_back(OpenInterface{.guests = {IpRange::just(ip(gateway))}});
    }
    for (const auto& address : {guest, own, *Ipv6::parse("fd00:50::2")}) {
      requests.push_back(OpenInterface{.addresses = {{address, 128}}});
      requests.push_back(OpenInterface{.addresses = {{ip("10.98.0.1"), 32}, {address, 64}}});
      requests.push_back(OpenInterface{.guests = {IpRange::just(address)}});
    }
    for (const auto& request : requests) {
      CAPTURE(request_name(request));
      CHECK(outcome(request, uid, cut(host, policy::extent_of(request))) == outcome(request, uid, host));
    }
  }
}
