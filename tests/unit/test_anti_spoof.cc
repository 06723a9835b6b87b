// The program on frames of every kind, in an interpreter; tests/netns runs it in the kernel.
#include <doctest/doctest.h>

#include <linux/pkt_cls.h>

#include <algorithm>
#include <string>
#include <vector>

#include "classic_bpf.h"
#include "guest_frames.h"
#include "libumlnet/core/anti_spoof.h"

using namespace umlnet;
using namespace umlnet::guest_frames;

namespace {

const std::vector<Ipv4> kIpv4 = {*Ipv4::parse("10.50.0.7"), *Ipv4::parse("10.50.0.8")};
const std::vector<Ipv6> kIpv6 = {*Ipv6::parse("fd00:50::7"), *Ipv6::parse("2001:db8::7")};
const Ipv6 kLinkLocal = *Ipv6::parse("fe80::5054:ff:fe12:3456");
const Ipv6 kNowhere;

const Ipv6 kStable = *Ipv6::parse("fe80::a0b7:81d2:4c3e:95f0");  // RFC 7217
const Ipv6 kOthersStable = *Ipv6::parse("fe80::a0b7:81d2:4c3e:95f1");

GuestSources sources(const std::vector<Ipv4>& ipv4 = kIpv4, const std::vector<Ipv6>& ipv6 = kIpv6) {
  GuestSources made{.macs = {kGuest}, .addresses = {}, .link_local_of_others = {kOthersStable}};
  for (const auto address : ipv4) made.addresses.push_back(IpRange::network_of(address, 32));
  for (const auto& address : ipv6) made.addresses.push_back(IpRange::network_of(address, 128));
  return made;
}

std::uint32_t verdict(const Bytes& frame, bool tagged = false) {
  static const auto program = anti_spoof_program(sources());
  return run_classic_bpf(program, frame, tagged);
}
constexpr auto kPassed = static_cast<std::uint32_t>(TC_ACT_UNSPEC);
constexpr std::uint32_t kDropped = TC_ACT_SHOT;

struct Row {
  std::string what;
  Bytes frame;
};

// What passes is cut at each of its bytes too: then it is dropped or passed, and never ends in a load outside of it,
// which the kernel would take for "pass".
void pass(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(verdict(row.frame) == kPassed);
    CHECK(verdict(row.frame, true) == kDropped);
    Bytes others = row.frame;
    std::ranges::copy(kOther.bytes(), others.begin() + 6);
    CHECK(verdict(others) == kDropped);
    for (std::size_t size = 0; size < row.frame.size(); ++size)
      CHECK(verdict(Bytes(row.frame.begin(), row.frame.begin() + std::ptrdiff_t(size))) != TC_ACT_OK);
  }
}
void drop(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(verdict(row.frame) == kDropped);
    for (std::size_t size = 0; size < row.frame.size(); ++size)
      CHECK(verdict(Bytes(row.frame.begin(), row.frame.begin() + std::ptrdiff_t(size))) != TC_ACT_OK);
  }
}

}  // namespace

TEST_CASE("anti-spoof: IPv4") {
  pass({{"its address", ipv4({})},
        {"its other address", ipv4({.source = "10.50.0.8"})},
        {"no payload", ipv4({.protocol = 59, .payload = {}})},
        {"options", ipv4({.payload = zeros(48), .lead = 0x4f})},
        {"the first fragment", ipv4({.fragment = 0x2000})},
        {"a later fragment", ipv4({.fragment = 0x0010})},
        {"a super-frame", ipv4({.protocol = 6, .payload = zeros(60000)})},
        {"a DHCP client", ipv4(dhcp())}});
  auto to_other_port = dhcp(), from_other_port = dhcp(), to_one = dhcp(), tcp = dhcp(), fragment = dhcp(),
       last = dhcp(), with_options = dhcp(), no_ports = dhcp();
  to_other_port.payload[3] = 68;
  from_other_port.payload[1] = 69;
  to_one.destination = "10.50.0.1";
  tcp.protocol = 6;
  fragment.fragment = 0x2000;
  last.fragment = 1;
  with_options.lead = 0x46;
  no_ports.payload = {};
  drop({{"UDP without ports", ipv4({.payload = {}})},
        {"another's address", ipv4({.source = "10.50.0.9"})},
        {"the gateway's", ipv4({.source = "10.50.0.1"})},
        {"no address", ipv4({.source = "0.0.0.0"})},
        {"everybody", ipv4({.source = "255.255.255.255"})},
        {"IPv6 in the clothes of IPv4", ipv4({.lead = 0x65})},
        {"DHCP to a server of another protocol", ipv4(to_other_port)},
        {"DHCP from another port", ipv4(from_other_port)},
        {"DHCP to one", ipv4(to_one)},
        {"not UDP", ipv4(tcp)},
        {"DHCP in fragments", ipv4(fragment)},
        {"DHCP's last fragment", ipv4(last)},
        {"DHCP behind options", ipv4(with_options)},
        {"DHCP without ports", ipv4(no_ports)}});
}

TEST_CASE("anti-spoof: no redirects and router advertisements of IPv4") {
  const Bytes ping = {8, 0, 0, 0, 0, 0, 0, 0};
  pass({{"a ping", ipv4({.protocol = kIcmp, .payload = ping})},
        {"behind options", ipv4({.protocol = kIcmp, .payload = zeros(40) + ping, .lead = 0x4f})},
        {"the first fragment of one", ipv4({.protocol = kIcmp, .fragment = 0x2000, .payload = ping})},
        {"a later fragment", ipv4({.protocol = kIcmp, .fragment = 1, .payload = Bytes(8, 5)})}});
  for (const std::uint8_t type : {std::uint8_t{5}, std::uint8_t{9}}) {
    const Bytes message = Bytes{type, 1} + zeros(34);
    drop({{"plain", ipv4({.protocol = kIcmp, .payload = message})},
          {"behind options", ipv4({.protocol = kIcmp, .payload = zeros(4) + message, .lead = 0x46})},
          {"behind all options", ipv4({.protocol = kIcmp, .payload = zeros(40) + message, .lead = 0x4f})},
          {"in fragments", ipv4({.protocol = kIcmp, .fragment = 0x2000, .payload = message})}});
  }
  drop({{"no type", ipv4({.protocol = kIcmp, .payload = {}})},
        {"options without end", ipv4({.protocol = kIcmp, .payload = zeros(39), .lead = 0x4f})}});
}

TEST_CASE("anti-spoof: no IPv6 where none was granted") {
  auto only_ipv4 = sources(kIpv4, {});
  only_ipv4.protocols = GuestProtocols::ipv4;
  const auto program = anti_spoof_program(only_ipv4);
  CHECK(run_classic_bpf(program, ipv4({}), false) == kPassed);
  CHECK(run_classic_bpf(program, arp({}), false) == kPassed);
  for (const auto& frame : {ipv6(kLinkLocal, kUdp, zeros(8)), ipv6(kLinkLocal, kIcmpv6, router(133)),
                            ipv6(kNowhere, kIcmpv6, solicitation(kLinkLocal))})
    CHECK(run_classic_bpf(program, frame, false) == kDropped);
}

TEST_CASE("anti-spoof: ARP") {
  pass({{"a request", arp({})},
        {"a reply", arp({.operation = 2, .sender = "10.50.0.8"})},
        {"padded as Ethernet's shortest", arp({}) + zeros(18)},
        {"a probe", arp({.sender = "0.0.0.0"})}});
  drop({{"a request for another", arp({.sender = "10.50.0.1"})},
        {"a reply for another", arp({.operation = 2, .sender = "10.50.0.1"})},
        {"a request with another's MAC address", arp({.sender_mac = kOther})},
        {"a reply with another's MAC address", arp({.operation = 2, .sender_mac = kOther})},
        {"a reply from nowhere", arp({.operation = 2, .sender = "0.0.0.0"})},
        {"reverse ARP's request in ARP", arp({.operation = 3})},
        {"no operation", arp({.operation = 0})},
        {"another hardware", arp({.lead = {0, 6, 8, 0, 6, 4}})},
        {"another protocol", arp({.lead = {0, 1, 0x86, 0xdd, 6, 4}})},
        {"other sizes", arp({.lead = {0, 1, 8, 0, 6, 16}})}});
}

TEST_CASE("anti-spoof: IPv6") {
  for (const auto& own : {kIpv6[0], kIpv6[1], kLinkLocal, kStable})
    pass({{"UDP", ipv6(own, kUdp, zeros(8))},
          {"nothing in it", ipv6(own, 59, {})},
          {"an echo", ipv6(own, kIcmpv6, router(128))},
          {"ESP", ipv6(own, 50, zeros(16))},
          {"a super-frame", ipv6(own, 6, zeros(60000))},
          {"hop-by-hop options", ipv6(own, kHopByHop, options_header(kUdp) + zeros(8))},
          {"a listener's report", ipv6(own, kHopByHop, options_header(kIcmpv6) + router(143) + zeros(20))},
          {"destination options", ipv6(own, kDestination, options_header(41) + zeros(40))},
          {"a fragment", ipv6(own, kFragment, fragment_header(kUdp, 0, true) + zeros(64))},
          {"a later fragment", ipv6(own, kFragment, fragment_header(kUdp, 8, false) + zeros(64))},
          {"a fragment of an echo", ipv6(own, kFragment, fragment_header(kIcmpv6, 0, true) + router(128))},
          {"its later fragment", ipv6(own, kFragment, fragment_header(kIcmpv6, 1, false) + Bytes(8, 136))}});
  const auto cousin = *Ipv6::parse("fd00:50::8"), link_local = *Ipv6::parse("fe80::1"),
             other_front = *Ipv6::parse("fd01:50::7");
  // Those of others with the same kinds of identifiers: of a router, a MAC address, RFC 2526, RFC 4291 2.6.1, and
  // named.
  for (const auto* text : {"fe80::ffff:ffff", "fe80::5054:ff:fe12:3457", "fe80::fdff:ffff:ffff:fffe", "fe80::",
                           "fe80:0:0:1:a0b7:81d2:4c3e:95f0", "fe90::a0b7:81d2:4c3e:95f0", "fec0::a0b7:81d2:4c3e:95f0"})
    for (const auto& frame : {ipv6(*Ipv6::parse(text), kUdp, zeros(8)),
                              ipv6(kStable, kIcmpv6, advertisement(*Ipv6::parse(text)) + link_layer(2)),
                              ipv6(kNowhere, kIcmpv6, solicitation(*Ipv6::parse(text)) + kNonce)})
      drop({{text, frame}});
  for (const auto& source :
       {cousin, link_local, kOthersStable, other_front, *Ipv6::parse("::1"), *Ipv6::parse("ff02::1")})
    drop({{"UDP from another", ipv6(source, kUdp, zeros(8))},
          {"a solicitation from another", ipv6(source, kIcmpv6, solicitation(kIpv6[0]) + link_layer(1))},
          {"an advertisement from another", ipv6(source, kIcmpv6, advertisement(kIpv6[0]) + link_layer(2))},
          {"a report from another", ipv6(source, kHopByHop, options_header(kIcmpv6) + router(143) + zeros(20))}});
  drop({{"IPv4 in the clothes of IPv6", ipv6(kIpv6[0], kUdp, zeros(8), 0x45)},
        {"a routing header", ipv6(kIpv6[0], kRouting, options_header(kUdp) + zeros(8))},
        {"an authentication header", ipv6(kIpv6[0], kAh, options_header(kUdp) + zeros(16))},
        {"long options", ipv6(kIpv6[0], kHopByHop, options_header(kUdp, 1) + zeros(8))},
        {"options behind options", ipv6(kIpv6[0], kHopByHop, options_header(kDestination) + options_header(kUdp))},
        {"a fragment header behind options",
         ipv6(kIpv6[0], kHopByHop, options_header(kFragment) + fragment_header(kUdp, 0, false))},
        {"options in a fragment", ipv6(kIpv6[0], kFragment, fragment_header(kDestination, 0, true) + zeros(8))},
        {"a fragment of a fragment", ipv6(kIpv6[0], kFragment, fragment_header(kFragment, 0, true) + zeros(8))}});
  for (const std::uint8_t next : {std::uint8_t{135}, std::uint8_t{139}, std::uint8_t{140}})
    drop({{"an extension header of mobility, HIP, Shim6", ipv6(kIpv6[0], next, zeros(16))}});
}

TEST_CASE("anti-spoof: neighbour discovery") {
  const auto host = *Ipv6::parse("fd00:50::1");
  for (const auto& own : {kIpv6[0], kLinkLocal, kStable})
    pass({{"asks for a neighbour", ipv6(own, kIcmpv6, solicitation(host) + link_layer(1))},
          {"asks without its MAC address", ipv6(own, kIcmpv6, solicitation(host))},
          {"asks with a nonce", ipv6(own, kIcmpv6, solicitation(host) + link_layer(1) + kNonce)},
          {"asks with a nonce before", ipv6(own, kIcmpv6, solicitation(host) + kNonce + link_layer(1))},
          {"padded", ipv6(own, kIcmpv6, solicitation(host)) + zeros(4)},
          {"asks for routers", ipv6(own, kIcmpv6, router(133) + link_layer(1))},
          {"asks for routers without its MAC address", ipv6(own, kIcmpv6, router(133))},
          {"answers", ipv6(own, kIcmpv6, advertisement(kIpv6[1]) + link_layer(2))},
          {"answers without its MAC address", ipv6(own, kIcmpv6, advertisement(kIpv6[1]))},
          {"answers for its link-local address", ipv6(own, kIcmpv6, advertisement(kLinkLocal) + link_layer(2))},
          {"answers for its stable one", ipv6(own, kIcmpv6, advertisement(kStable) + link_layer(2))}});
  pass({{"is its address free?", ipv6(kNowhere, kIcmpv6, solicitation(kIpv6[0]) + kNonce)},
        {"without a nonce", ipv6(kNowhere, kIcmpv6, solicitation(kIpv6[1]))},
        {"is its link-local address free?", ipv6(kNowhere, kIcmpv6, solicitation(kLinkLocal) + kNonce)},
        {"is its stable one free?", ipv6(kNowhere, kIcmpv6, solicitation(kStable) + kNonce)},
        {"asks for routers before it has an address", ipv6(kNowhere, kIcmpv6, router(133))},
        {"a listener's report", ipv6(kNowhere, kHopByHop, options_header(kIcmpv6) + router(143) + zeros(20))},
        {"an older listener's", ipv6(kNowhere, kHopByHop, options_header(kIcmpv6) + router(131) + zeros(16))}});

  // The size of the packet in the IPv6 header says where its options end.
  auto hidden = ipv6(kIpv6[0], kIcmpv6, advertisement(kIpv6[0]) + link_layer(2) + link_layer(2, kOther));
  hidden[14 + 5] = 24 + 12;
  for (const std::uint8_t option : {std::uint8_t{1}, std::uint8_t{2}})
    drop(
        {{"asks with another's MAC address", ipv6(kIpv6[0], kIcmpv6, solicitation(host) + link_layer(option, kOther))},
         {"answers with it", ipv6(kIpv6[0], kIcmpv6, advertisement(kIpv6[0]) + link_layer(option, kOther))},
         {"asks for routers with it", ipv6(kLinkLocal, kIcmpv6, router(133) + link_layer(option, kOther))},
         {"behind a nonce", ipv6(kIpv6[0], kIcmpv6, solicitation(host) + kNonce + link_layer(option, kOther))},
         {"behind its own",
          ipv6(kIpv6[0], kIcmpv6, advertisement(kIpv6[0]) + link_layer(option) + link_layer(option, kOther))},
         {"before its own",
          ipv6(kIpv6[0], kIcmpv6, advertisement(kIpv6[0]) + link_layer(option, kOther) + link_layer(option))},
         {"as the third", ipv6(kIpv6[0], kIcmpv6, solicitation(host) + kNonce + kNonce + link_layer(option, kOther))},
         {"from nowhere", ipv6(kNowhere, kIcmpv6, solicitation(kIpv6[0]) + link_layer(option, kOther))},
         {"asks for routers from nowhere with it", ipv6(kNowhere, kIcmpv6, router(133) + link_layer(option, kOther))}});
  drop(
      {{"a router advertisement", ipv6(kLinkLocal, kIcmpv6, router(134) + zeros(8))},
       {"a redirect", ipv6(kLinkLocal, kIcmpv6, router(137) + zeros(32))},
       {"answers for another", ipv6(kIpv6[0], kIcmpv6, advertisement(host) + link_layer(2))},
       {"answers for another's link-local address",
        ipv6(kLinkLocal, kIcmpv6, advertisement(*Ipv6::parse("fe80::1")) + link_layer(2))},
       {"answers for another's stable one", ipv6(kStable, kIcmpv6, advertisement(kOthersStable) + link_layer(2))},
       {"is another's stable one free?", ipv6(kNowhere, kIcmpv6, solicitation(kOthersStable) + kNonce)},
       {"half an option more", hidden},
       {"an option of another length", ipv6(kIpv6[0], kIcmpv6, solicitation(host) + Bytes{1, 2} + zeros(14))},
       {"an option of no length", ipv6(kIpv6[0], kIcmpv6, solicitation(host) + Bytes{1, 0} + zeros(6))},
       {"an option of SEND", ipv6(kIpv6[0], kIcmpv6, solicitation(host) + Bytes{13, 1} + zeros(6))},
       {"is another's address free?", ipv6(kNowhere, kIcmpv6, solicitation(host) + kNonce)},
       {"an advertisement from nowhere", ipv6(kNowhere, kIcmpv6, advertisement(kIpv6[0]))},
       {"a router advertisement from nowhere", ipv6(kNowhere, kIcmpv6, router(134) + zeros(8))},
       {"an echo from nowhere", ipv6(kNowhere, kIcmpv6, router(128))},
       {"UDP from nowhere", ipv6(kNowhere, kUdp, zeros(8))},
       {"a router advertisement from nowhere behind options",
        ipv6(kNowhere, kHopByHop, options_header(kIcmpv6) + router(134) + zeros(8))},
       {"long options from nowhere", ipv6(kNowhere, kHopByHop, options_header(kIcmpv6, 1) + router(143) + zeros(20))}});
  // What hides neighbour discovery from those who look at fixed places.
  for (std::uint8_t type = 133; type <= 137; ++type) {
    const Bytes message = router(type) + of(kIpv6[0]) + link_layer(type == 136 ? 2 : 1);
    drop({{"behind hop-by-hop options", ipv6(kIpv6[0], kHopByHop, options_header(kIcmpv6) + message)},
          {"behind destination options", ipv6(kIpv6[0], kDestination, options_header(kIcmpv6) + message)},
          {"in the only fragment", ipv6(kIpv6[0], kFragment, fragment_header(kIcmpv6, 0, false) + message)},
          {"in the first fragment", ipv6(kIpv6[0], kFragment, fragment_header(kIcmpv6, 0, true) + message)},
          {"of which just the type", ipv6(kIpv6[0], kFragment, fragment_header(kIcmpv6, 0, true) + Bytes{type})}});
  }
}

TEST_CASE("anti-spoof: anything else") {
  for (const unsigned type : {0x0000, 0x0026, 0x05dc, 0x0600, 0x8035, 0x8100, 0x88a8, 0x8847, 0x8848, 0x8863, 0x8864,
                              0x888e, 0x88cc, 0x88e5, 0x9100, 0x9000, 0xffff})
    drop({{"another EtherType", ethernet(type, zeros(46))}});
  drop({{"no frame at all", {}}, {"a tagged one within", ethernet(0x8100, half(5) + ipv4({}))}});
}

TEST_CASE("anti-spoof: a guest without addresses gets to DHCP, and talks IPv6 on its link") {
  const auto program = anti_spoof_program(sources({}, {}));
  CHECK(run_classic_bpf(program, ipv4(dhcp()), false) == kPassed);
  CHECK(run_classic_bpf(program, arp({.sender = "0.0.0.0"}), false) == kPassed);
  CHECK(run_classic_bpf(program, ipv6(kLinkLocal, kUdp, zeros(8)), false) == kPassed);
  CHECK(run_classic_bpf(program, ipv4({}), false) == kDropped);
  CHECK(run_classic_bpf(program, arp({}), false) == kDropped);
  CHECK(run_classic_bpf(program, arp({.operation = 2}), false) == kDropped);
  CHECK(run_classic_bpf(program, ipv6(kIpv6[0], kUdp, zeros(8)), false) == kDropped);
}

TEST_CASE(
    "anti-spoof: what the infrastructure of a network sends passes where it is granted, and nothing else with it") {
  const auto udp = [](unsigned from, unsigned to) { return half(from) + half(to) + half(16) + half(0) + zeros(8); };
  const auto igmp = [](std::uint8_t type) { return Bytes{type, 0, 0, 0} + zeros(4); };
  struct Kind {
    std::string name;
    std::vector<Row> rows;
  };
  const Bytes alert = {0x94, 4, 0, 0};
  const std::vector<Kind> kinds = {
      {"dhcp-server",
       {{"an offer", ipv4({.payload = udp(67, 68)})},
        {"from another port", ipv4({.payload = udp(6700, 68)})},
        {"behind options", ipv4({.payload = zeros(40) + udp(67, 68), .lead = 0x4f})},
        {"in fragments", ipv4({.fragment = 0x2000, .payload = udp(67, 68)})},
        {"an advertisement of DHCPv6", ipv6(kStable, kUdp, udp(547, 546))},
        {"of an address", ipv6(kIpv6[0], kUdp, udp(547, 546))},
        {"behind hop-by-hop options", ipv6(kStable, kHopByHop, options_header(kUdp) + udp(547, 546))},
        {"behind destination options", ipv6(kStable, kDestination, options_header(kUdp) + udp(547, 546))},
        {"in fragments", ipv6(kStable, kFragment, fragment_header(kUdp, 0, true) + udp(547, 546))}}},
      {"router",
       {{"a redirect", ipv4({.protocol = kIcmp, .payload = Bytes{5, 1} + zeros(34)})},
        {"an advertisement", ipv4({.protocol = kIcmp, .payload = Bytes{9, 0} + zeros(14)})},
        {"an advertisement of IPv6", ipv6(kStable, kIcmpv6, router(134) + zeros(8) + Bytes{3, 4} + zeros(30))},
        {"a redirect of IPv6", ipv6(kStable, kIcmpv6, router(137) + zeros(32))}}},
      {"vrrp",
       {{"VRRP", ipv4({.protocol = 112, .payload = zeros(20)})},
        {"in fragments", ipv4({.protocol = 112, .fragment = 0x2000, .payload = zeros(24)})},
        {"of IPv6", ipv6(kStable, 112, zeros(20))},
        {"behind options", ipv6(kStable, kHopByHop, options_header(112) + zeros(20))},
        {"in fragments of IPv6", ipv6(kStable, kFragment, fragment_header(112, 0, true) + zeros(24))}}},
      {"multicast-querier",
       {{"a query", ipv4({.protocol = 2, .payload = igmp(0x11)})},
        {"as queries are", ipv4({.protocol = 2, .payload = alert + igmp(0x11), .lead = 0x46})},
        {"in fragments", ipv4({.protocol = 2, .fragment = 0x2000, .payload = igmp(0x11)})},
        {"of MLD, without the option", ipv6(kStable, kIcmpv6, router(130) + zeros(16))},
        {"of MLD", ipv6(kStable, kHopByHop, options_header(kIcmpv6) + router(130) + zeros(16))},
        {"in fragments of IPv6", ipv6(kStable, kFragment, fragment_header(kIcmpv6, 0, true) + router(130))}}},
  };
  REQUIRE(kinds.size() == std::size(kInfrastructureKinds));
  for (const auto& [granted, member] : kInfrastructureKinds) {
    CAPTURE(granted);
    auto with = sources();
    with.infrastructure.*member = true;
    const auto program = anti_spoof_program(with);
    for (const auto& kind : kinds)
      for (const auto& row : kind.rows) {
        CAPTURE(kind.name);
        CAPTURE(row.what);
        CHECK(run_classic_bpf(program, row.frame, false) == (kind.name == granted ? kPassed : kDropped));
        Bytes others = row.frame;
        std::ranges::copy(kOther.bytes(), others.begin() + 6);
        CHECK(run_classic_bpf(program, others, false) == kDropped);
        for (std::size_t size = 0; size < row.frame.size(); ++size) {
          const Bytes part(row.frame.begin(), row.frame.begin() + std::ptrdiff_t(size));
          CHECK(run_classic_bpf(program, part, false) != TC_ACT_OK);
        }
      }
    // As another, hidden, and with it.
    for (const auto& frame :
         {ipv6(*Ipv6::parse("fe80::1"), kIcmpv6, router(134) + zeros(8)), ipv6(kOthersStable, kIcmpv6, router(134)),
          ipv6(kStable, kHopByHop, options_header(kIcmpv6) + router(134) + zeros(8)),
          ipv6(kStable, kFragment, fragment_header(kIcmpv6, 0, false) + router(134) + zeros(8)),
          ipv6(kNowhere, kIcmpv6, router(134) + zeros(8)), ipv4({.source = "10.50.0.1", .payload = udp(67, 68)}),
          ipv4({.source = "0.0.0.0", .destination = "255.255.255.255", .payload = udp(67, 68)}),
          ipv6(kNowhere, kHopByHop, options_header(kIcmpv6) + router(130) + zeros(16))})
      CHECK(run_classic_bpf(program, frame, false) == kDropped);
  }
  for (const auto& kind : kinds) drop(kind.rows);
  // What resembles it, and any guest sends.
  pass({{"IGMP's report", ipv4({.protocol = 2, .payload = alert + igmp(0x16), .lead = 0x46})},
        {"to a DHCP server", ipv4({.payload = udp(68, 67)})},
        {"to a DHCPv6 server", ipv6(kStable, kUdp, udp(546, 547))},
        {"a later fragment that looks like it", ipv4({.fragment = 2, .payload = udp(67, 68)})},
        {"TCP to that port", ipv4({.protocol = 6, .payload = udp(67, 68)})},
        {"mDNS", ipv4({.destination = "224.0.0.251", .payload = udp(5353, 5353)})},
        {"mDNS of IPv6", ipv6(kStable, kUdp, udp(5353, 5353))},
        {"LLMNR", ipv4({.destination = "224.0.0.252", .payload = udp(49152, 5355)})}});
}

TEST_CASE("anti-spoof: several MAC addresses") {
  auto both = sources();
  both.macs.push_back(kOther);
  const auto program = anti_spoof_program(both);
  const auto third = *MacAddress::parse("52:54:00:12:34:58"), cousin = *MacAddress::parse("52:54:01:12:34:56");
  const auto from = [](Bytes frame, const MacAddress& mac) {
    std::ranges::copy(mac.bytes(), frame.begin() + 6);
    return frame;
  };
  for (const auto& mac : {kGuest, kOther, third, cousin}) {
    CAPTURE(mac.str());
    const auto expected = mac == kGuest || mac == kOther ? kPassed : kDropped;
    CHECK(run_classic_bpf(program, from(ipv4({}), mac), false) == expected);
    CHECK(run_classic_bpf(program, from(arp({.operation = 2, .sender_mac = mac}), mac), false) == expected);
    CHECK(run_classic_bpf(program, arp({.operation = 2, .sender_mac = mac}), false) == expected);
    const auto own = eui64_link_local(mac);
    CHECK(run_classic_bpf(program, ipv6(own, kUdp, zeros(8)), false) == expected);
    CHECK(run_classic_bpf(program, ipv6(kStable, kIcmpv6, advertisement(kIpv6[0]) + link_layer(2, mac)), false) ==
          expected);
  }
}

TEST_CASE("anti-spoof: a network is the guest's from its first address to its last") {
  auto networks = sources({}, {});
  networks.addresses = {*IpRange::parse("10.51.79.64/29"), *IpRange::parse("10.52.0.0/16"),
                        *IpRange::parse("fd00:51:0:40::/58"), *IpRange::parse("fd00:52::/64")};
  const auto program = anti_spoof_program(networks);
  const auto v4 = [&](const char* source) { return run_classic_bpf(program, ipv4({.source = source}), false); };
  const auto v6 = [&](const char* source) {
    return run_classic_bpf(program, ipv6(*Ipv6::parse(source), kUdp, zeros(8)), false);
  };
  for (const auto* in : {"10.51.79.64", "10.51.79.71", "10.52.0.0", "10.52.255.255"}) CHECK(v4(in) == kPassed);
  for (const auto* out : {"10.51.79.63", "10.51.79.72", "10.51.255.255", "10.53.0.0"}) CHECK(v4(out) == kDropped);
  for (const auto* in : {"fd00:51:0:40::", "fd00:51:0:7f:ffff:ffff:ffff:ffff", "fd00:52::1"}) CHECK(v6(in) == kPassed);
  for (const auto* out : {"fd00:51:0:3f:ffff:ffff:ffff:ffff", "fd00:51:0:80::", "fd00:52:0:1::"})
    CHECK(v6(out) == kDropped);
  CHECK(run_classic_bpf(program, arp({.operation = 2, .sender = "10.51.79.70"}), false) == kPassed);
  CHECK(run_classic_bpf(program, arp({.operation = 2, .sender = "10.51.79.72"}), false) == kDropped);
}

TEST_CASE("anti-spoof: with as many addresses as there may be, each of them and no other passes") {
  std::vector<Ipv4> many4;
  std::vector<Ipv6> many6;
  for (std::size_t i = 0; i < kMaxGuestAddresses; ++i) {
    many4.push_back(*Ipv4::parse("10.50.1." + std::to_string(i)));
    many6.push_back(*Ipv6::parse("fd00:51::1:" + std::to_string(i)));
  }
  auto most = sources(many4, many6);
  for (std::size_t i = 1; i < kMaxGuestMacs; ++i)
    most.macs.push_back(*MacAddress::parse("52:54:00:0:1:" + std::to_string(i)));
  most.link_local_of_others.clear();
  for (std::size_t i = 0; i < kMaxLinkLocalOfOthers; ++i)
    most.link_local_of_others.push_back(*Ipv6::parse("fe80::a0b7:81d2:4c3e:" + std::to_string(i)));
  const auto program = anti_spoof_program(most);
  CHECK(program.size() <= 3000);
  CHECK(run_classic_bpf(program, ipv6(kStable, kUdp, zeros(8)), false) == kPassed);
  for (const auto& other : most.link_local_of_others)
    CHECK(run_classic_bpf(program, ipv6(other, kUdp, zeros(8)), false) == kDropped);
  for (std::size_t i = 0; i <= kMaxGuestAddresses; ++i) {
    CAPTURE(i);
    const auto expected = i < kMaxGuestAddresses ? kPassed : kDropped;
    const auto v4 = "10.50.1." + std::to_string(i);
    const auto v6 = *Ipv6::parse("fd00:51::1:" + std::to_string(i));
    CHECK(run_classic_bpf(program, ipv4({.source = v4}), false) == expected);
    CHECK(run_classic_bpf(program, arp({.sender = v4}), false) == expected);
    CHECK(run_classic_bpf(program, arp({.operation = 2, .sender = v4}), false) == expected);
    CHECK(run_classic_bpf(program, ipv6(v6, kUdp, zeros(8)), false) == expected);
    CHECK(run_classic_bpf(program, ipv6(kLinkLocal, kIcmpv6, advertisement(v6)), false) == expected);
    CHECK(run_classic_bpf(program, ipv6(kNowhere, kIcmpv6, solicitation(v6)), false) == expected);
  }
}

TEST_CASE("anti-spoof: the link-local address of a MAC address") {
  CHECK(eui64_link_local(kGuest).str() == "fe80::5054:ff:fe12:3456");
  CHECK(eui64_link_local(*MacAddress::parse("2:0:0:0:0:1")).str() == "fe80::ff:fe00:1");
  for (const auto& own : {kStable, kOthersStable}) CHECK(may_be_guests_link_local(own));
  for (const auto* text : {"fe80::5054:ff:fe12:3456", "fe80::1", "fe80::ffff:ffff", "fe80::fdff:ffff:ffff:fffe",
                           "fe80:0:0:1:a0b7:81d2:4c3e:95f0", "2001:db8::a0b7:81d2:4c3e:95f0"})
    CHECK_FALSE(may_be_guests_link_local(*Ipv6::parse(text)));
}
