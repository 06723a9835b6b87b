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

std::uint32_t verdict(const Bytes& frame, bool tagged = false) {
  static const auto program = anti_spoof_program(kGuest, kIpv4, kIpv6);
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
        {"no payload", ipv4({.payload = {}})},
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
  drop({{"another's address", ipv4({.source = "10.50.0.9"})},
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
  const auto program = anti_spoof_program(kGuest, kIpv4, {}, GuestProtocols::ipv4);
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
  for (const auto& own : {kIpv6[0], kIpv6[1], kLinkLocal})
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
  for (const auto& source : {cousin, link_local, other_front, *Ipv6::parse("::1"), *Ipv6::parse("ff02::1")})
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
  for (const auto& own : {kIpv6[0], kLinkLocal})
    pass({{"asks for a neighbour", ipv6(own, kIcmpv6, solicitation(host) + link_layer(1))},
          {"asks without its MAC address", ipv6(own, kIcmpv6, solicitation(host))},
          {"asks with a nonce", ipv6(own, kIcmpv6, solicitation(host) + link_layer(1) + kNonce)},
          {"asks with a nonce before", ipv6(own, kIcmpv6, solicitation(host) + kNonce + link_layer(1))},
          {"padded", ipv6(own, kIcmpv6, solicitation(host)) + zeros(4)},
          {"asks for routers", ipv6(own, kIcmpv6, router(133) + link_layer(1))},
          {"asks for routers without its MAC address", ipv6(own, kIcmpv6, router(133))},
          {"answers", ipv6(own, kIcmpv6, advertisement(kIpv6[1]) + link_layer(2))},
          {"answers without its MAC address", ipv6(own, kIcmpv6, advertisement(kIpv6[1]))},
          {"answers for its link-local address", ipv6(own, kIcmpv6, advertisement(kLinkLocal) + link_layer(2))}});
  pass({{"is its address free?", ipv6(kNowhere, kIcmpv6, solicitation(kIpv6[0]) + kNonce)},
        {"without a nonce", ipv6(kNowhere, kIcmpv6, solicitation(kIpv6[1]))},
        {"is its link-local address free?", ipv6(kNowhere, kIcmpv6, solicitation(kLinkLocal) + kNonce)},
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
  const auto program = anti_spoof_program(kGuest, {}, {});
  CHECK(run_classic_bpf(program, ipv4(dhcp()), false) == kPassed);
  CHECK(run_classic_bpf(program, arp({.sender = "0.0.0.0"}), false) == kPassed);
  CHECK(run_classic_bpf(program, ipv6(kLinkLocal, kUdp, zeros(8)), false) == kPassed);
  CHECK(run_classic_bpf(program, ipv4({}), false) == kDropped);
  CHECK(run_classic_bpf(program, arp({}), false) == kDropped);
  CHECK(run_classic_bpf(program, arp({.operation = 2}), false) == kDropped);
  CHECK(run_classic_bpf(program, ipv6(kIpv6[0], kUdp, zeros(8)), false) == kDropped);
}

TEST_CASE("anti-spoof: with as many addresses as there may be, each of them and no other passes") {
  std::vector<Ipv4> many4;
  std::vector<Ipv6> many6;
  for (std::size_t i = 0; i < kMaxGuestAddresses; ++i) {
    many4.push_back(*Ipv4::parse("10.50.1." + std::to_string(i)));
    many6.push_back(*Ipv6::parse("fd00:51::1:" + std::to_string(i)));
  }
  const auto program = anti_spoof_program(kGuest, many4, many6);
  CHECK(program.size() <= 1150);
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
}
