#include <doctest/doctest.h>

#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <net/if.h>

#include <string>
#include <vector>

#include "libumlnet/core/device_marks.h"
#include "libumlnet/core/host_guard.h"
#include "libumlnet/core/rtnetlink_ipv6.h"
#include "libumlnet/core/rtnetlink_message.h"
#include "libumlnet/core/rtnetlink_names.h"
#include "libumlnet/core/traffic_control.h"
#include "uml_net/priv/message_grammar.h"

using namespace umlnet;
using namespace umlnet::rtnetlink;

namespace {

constexpr int kLoopback = 1, kLan = 2, kBridge = 3, kOther = 4, kOwn = 5, kGrantedBefore = 6, kNew = 7, kNobodys = 8,
              kFakeAlias = 9;
constexpr int kDevices[] = {kLoopback, kLan, kBridge, kOther, kOwn, kGrantedBefore, kNew, kNobodys, kFakeAlias};
const std::string kAlias = "uml_net uid=1001 id=4f2c0000-0000-4000-8000-000000000001 tuntap";
constexpr Ipv4 kGuest(0x0a320007);
const Ipv6 kGuest6 = *Ipv6::parse("fd00:50::7");

priv::MessageGrammar grammar() {
  const auto link = [](int ifindex, std::string name) {
    Link one;
    one.ifindex = ifindex;
    one.name = std::move(name);
    return one;
  };
  std::vector<Link> links = {link(kLoopback, "lo"),  link(kLan, "eth0"),      link(kBridge, "br0"),
                             link(kOther, "eth1"),   link(kOwn, "tap0"),      link(kGrantedBefore, "eth2"),
                             link(kNobodys, "tap9"), link(kFakeAlias, "eth3")};
  links[0].loopback = true;
  links[2].kind = "bridge";
  links[4].tap = true;
  links[4].alias = kAlias;
  links[4].alternative_names = names_of({IpRange::just(kGuest), {"eth2"}});
  links[6].tap = true;
  links[7].alias = kAlias;  // of no TAP
  priv::MessageGrammar grammar;
  grammar.set_lans([](std::string_view name) { return name == "eth0" || name == "lo"; });
  grammar.look_at(links);
  grammar.take_new(kNew);
  return grammar;
}

// On which devices what `build` makes is allowed.
std::vector<int> allowed(const auto& build) {
  const auto rules = grammar();
  std::vector<int> devices;
  for (const int device : kDevices)
    if (rules.allows(build(device))) devices.push_back(device);
  return devices;
}

const std::vector<int> kOwnOnes = {kOwn, kNew}, kLans = {kLan, kGrantedBefore}, kNone;

Bytes link_message(std::uint16_t type, int ifindex, const auto& attributes) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  Builder builder(type, NLM_F_ACK, 1, body);
  attributes(builder);
  return builder.done();
}

}  // namespace

TEST_CASE("message grammar: what the program sends is allowed where it belongs") {
  CHECK(allowed([](int d) { return set_link_up(1, d); }) == kOwnOnes);
  CHECK(allowed([](int d) { return set_link_alias(1, d, kAlias, 0); }) == kOwnOnes);
  CHECK(allowed([](int d) { return set_link_alias(1, d, kAlias, 0x80000007U); }) == kOwnOnes);
  CHECK(allowed([](int d) { return set_link_mtu(1, d, 9000); }) == kOwnOnes);
  CHECK(allowed([](int d) { return set_link_mac(1, d, *MacAddress::parse("02:00:00:00:00:01")); }) == kOwnOnes);
  CHECK(allowed([](int d) { return set_link_master(1, d, kBridge); }) == kOwnOnes);
  CHECK(allowed([](int d) { return set_port_isolation(1, d, true); }) == kOwnOnes);
  CHECK(allowed([](int d) { return set_no_link_local_address(1, d); }) == kOwnOnes);
  CHECK(allowed([](int d) { return add_address(1, d, kGuest, Ipv4Mask(24)); }) == kOwnOnes);
  CHECK(allowed([](int d) { return add_ipv6_address(1, d, kGuest6, 64); }) == kOwnOnes);
  CHECK(allowed([](int d) { return add_route(1, d, IpRange::just(kGuest), {}); }) == kOwnOnes);
  CHECK(allowed([](int d) { return add_route(1, d, IpRange::just(kGuest6), IpAddress(kGuest6)); }) == kOwnOnes);
  CHECK(allowed([](int d) { return delete_route(1, d, IpRange::just(kGuest), {}); }) == kOwnOnes);
  CHECK(allowed([](int d) { return set_proxy_arp(1, d, true); }) == kOwnOnes);
  CHECK(allowed([](int d) { return delete_link(1, d); }) == kOwnOnes);
  CHECK(allowed([](int d) { return add_clsact(1, d); }) == kOwnOnes);
  CHECK(allowed([](int d) { return delete_clsact(1, d); }) == kOwnOnes);
  CHECK(allowed([](int d) { return add_ingress_classifier(1, d, host_guard_program(GuestProtocols::ipv4)); }) ==
        kOwnOnes);
  CHECK(allowed([](int d) { return move_link(1, d, 4, "tap%d"); }) == std::vector<int>{kNew});
  CHECK(allowed([](int d) { return add_proxy_entry(1, d, kGuest, kProtocol); }) == kLans);
  CHECK(allowed([](int d) { return add_proxy_entry(1, d, kGuest, kProtocolForwarding); }) == kLans);
  CHECK(allowed([](int d) { return add_ipv6_proxy_entry(1, d, kGuest6, kProtocol); }) == kLans);
  CHECK(allowed([](int d) { return set_forwarding(1, d, true); }) == std::vector{kLan, kOwn, kGrantedBefore, kNew});
  CHECK(allowed([](int d) { return add_alternative_name(1, d, name_of_forwarding(d)); }) ==
        std::vector{kLan, kOwn, kGrantedBefore, kNew});
}

TEST_CASE("message grammar: what takes something off is allowed wherever it may be") {
  const std::vector<int> others = {kLoopback, kLan, kBridge, kOther, kGrantedBefore, kNobodys, kFakeAlias};
  CHECK(allowed([](int d) { return delete_proxy_entry(1, d, kGuest); }) == others);
  CHECK(allowed([](int d) { return delete_ipv6_proxy_entry(1, d, kGuest6); }) == others);
  CHECK(allowed([](int d) { return set_forwarding(1, d, false); }).size() == std::size(kDevices));
  CHECK(allowed([](int d) { return delete_alternative_name(1, d, name_of_forwarding(d)); }).size() ==
        std::size(kDevices));
}

TEST_CASE("message grammar: groups of sessions, and no others, are deleted") {
  const auto rules = grammar();
  CHECK(rules.allows(delete_link_group(1, 0x80000007U)));
  CHECK_FALSE(rules.allows(delete_link_group(1, 7)));
  CHECK_FALSE(rules.allows(delete_link_group(1, 0)));
  CHECK_FALSE(rules.allows(delete_link(1, 0)));
}

TEST_CASE("message grammar: what the program never sends is refused on every device") {
  const auto with = [](std::uint16_t type, auto... payload) {
    return [=](int d) { return link_message(RTM_SETLINK, d, [&](Builder& b) { b.attribute(type, payload...); }); };
  };
  CHECK(allowed(with(IFLA_NET_NS_PID, std::uint32_t{1})) == kNone);
  CHECK(allowed(with(IFLA_TARGET_NETNSID, std::uint32_t{1})) == kNone);
  CHECK(allowed(with(IFLA_IFALIAS, std::string_view("somebody else's"))) == kNone);
  CHECK(allowed(with(IFLA_GROUP, std::uint32_t{7})) == kNone);
  CHECK(allowed(with(IFLA_MASTER, std::uint32_t{kLan})) == kNone);
  CHECK(allowed(with(IFLA_XDP, std::uint32_t{1})) == kNone);
  CHECK(allowed(with(IFLA_LINKINFO, std::string_view("x"))) == kNone);
  CHECK(allowed(with(IFLA_TXQLEN, std::uint32_t{1})) == kNone);
  CHECK(allowed([](int d) { return link_message(RTM_NEWLINK, d, [](Builder&) {}); }) == kNone);
  CHECK(allowed([](int d) { return add_alternative_name(1, d, "eth7"); }) == kNone);
  CHECK(allowed([](int d) {
          return link_message(RTM_SETLINK, d, [](Builder& b) {
            b.nested(IFLA_AF_SPEC, [](Builder& f) {
              f.nested(AF_INET, [](Builder& i) {
                i.nested(IFLA_INET_CONF, [](Builder& c) { c.attribute(IPV4_DEVCONF_RP_FILTER, std::uint32_t{0}); });
              });
            });
          });
        }) == kNone);
  const auto changed = [](const auto& build, std::size_t at, std::uint8_t value) {
    return [=](int d) {
      Bytes bytes = build(d);
      bytes[sizeof(nlmsghdr) + at] = value;
      return bytes;
    };
  };
  const auto route = [](int d) { return add_route(1, d, IpRange::just(kGuest), {}); };
  CHECK(allowed(changed(route, offsetof(rtmsg, rtm_protocol), RTPROT_STATIC)) == kNone);
  CHECK(allowed(changed(route, offsetof(rtmsg, rtm_table), RT_TABLE_LOCAL)) == kNone);
  CHECK(allowed(changed(route, offsetof(rtmsg, rtm_type), RTN_LOCAL)) == kNone);
  CHECK(allowed(changed(route, offsetof(rtmsg, rtm_dst_len), 0)) == kNone);  // a default route
  const auto entry = [](int d) { return add_proxy_entry(1, d, kGuest, kProtocol); };
  CHECK(allowed(changed(entry, offsetof(ndmsg, ndm_flags), 0)) == kNone);
  CHECK(allowed([](int d) { return add_proxy_entry(1, d, kGuest, RTPROT_STATIC); }) == kNone);
  const auto up = [](int d) { return set_link_up(1, d); };
  CHECK(allowed(changed(up, offsetof(ifinfomsg, ifi_flags), 0)) == kNone);       // down
  CHECK(allowed(changed(up, offsetof(ifinfomsg, ifi_change) + 1, 1)) == kNone);  // promiscuous
}

TEST_CASE("message grammar: bytes that are not one whole message are refused") {
  const auto rules = grammar();
  const Bytes good = set_link_mtu(1, kOwn, 1500);
  REQUIRE(rules.allows(good));
  for (std::size_t size = 0; size < good.size(); ++size) CHECK_FALSE(rules.allows(ByteSpan(good).first(size)));
  Bytes two = good;
  const Bytes other = set_link_up(2, kLan);
  two.insert(two.end(), other.begin(), other.end());
  CHECK_FALSE(rules.allows(two));
  const auto length = static_cast<std::uint32_t>(two.size());
  std::memcpy(two.data(), &length, sizeof length);  // the second one hidden in the first
  CHECK_FALSE(rules.allows(two));
}
