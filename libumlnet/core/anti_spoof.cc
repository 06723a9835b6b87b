#include "libumlnet/core/anti_spoof.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "libumlnet/core/classifier_rules.h"
#include "libumlnet/core/network_order.h"

namespace umlnet {
namespace {

using namespace classifier;

// Offsets in a frame, in bytes from the MAC header.
constexpr std::uint32_t kSourceMac = 6;
constexpr std::uint32_t kIpv4Source = kNetwork + 12, kIpv4Destination = kNetwork + 16;
constexpr std::uint32_t kArpOperation = kNetwork + 6, kArpSenderMac = kNetwork + 8, kArpSenderIp = kNetwork + 14;
constexpr std::uint32_t kIpv6PayloadLength = kNetwork + 4, kIpv6Source = kNetwork + 8;
constexpr std::uint32_t kNdTarget = kIpv6Payload + 8;  // of a solicitation and an advertisement

// Sizes in bytes.
constexpr std::uint32_t kUdpHeader = 8, kArpSize = 28, kIpv6Address = 16;
constexpr std::uint32_t kRouterSolicitation = 8, kNeighbourMessage = 24, kNdOption = 8;

constexpr std::uint32_t kArpLead = 0x0001'0800;     // hardware type Ethernet, protocol IPv4
constexpr std::uint32_t kArpAddressSizes = 0x0604;  // bytes of their addresses
constexpr std::uint32_t kArpRequest = 1, kArpReply = 2;
constexpr std::uint32_t kIpv4WithoutOptions = 0x45;  // version and header length
constexpr std::uint32_t kIsFragment = 0x3fff;        // more fragments, or an offset
constexpr std::uint32_t kDhcpClientToServer = 68 << 16 | 67;

// ICMPv6 types of listeners: RFC 2710, 3; RFC 3810, 5.2. IGMP's type of a query: RFC 2236, 2.1.
constexpr std::uint32_t kListenerQuery = 130, kListenerReport = 131, kListenerDone = 132, kListenerReport2 = 143;
constexpr std::uint32_t kIgmpQuery = 0x11;
constexpr std::uint32_t kVrrp = 112;  // RFC 5798; CARP has the same number
constexpr std::uint32_t kUdpDestination = 2, kDhcpClientPort = 68, kDhcpv6ClientPort = 546;
// Options of neighbour discovery: the type, and the length in units of 8 bytes.
constexpr std::uint32_t kSourceLinkLayerOption = 1 << 8 | 1, kTargetLinkLayerOption = 2 << 8 | 1,
                        kNonceOption = 14 << 8 | 1;

// fe80::/64; an interface identifier of 32 bits or fewer has no upper half; those of anycast addresses (RFC 2526)
// begin with fdff:ffff; and one that a MAC address makes has ff:fe in the middle.
constexpr std::uint32_t kLinkLocal = 0xfe80'0000, kAnycastIdentifier = 0xfdff'ffff, kEui64Middle = 0xfffe;
constexpr std::uint32_t kWord = sizeof(std::uint32_t), kIdentifier = 8, kMiddle = 11;

// Where one of these words is not as in the range, jumps over `same`, which is put behind them.
Code where_in(std::uint32_t at, const IpRange& range, const Code& same) {
  const auto bytes = std::visit(
      [](const auto& first) {
        const auto all = first.bytes();
        return std::vector<std::uint8_t>(all.begin(), all.end());
      },
      range.first());
  Code code = same;
  for (std::uint32_t words = (range.length() + 31) / 32; words-- > 0;) {
    const auto bits = std::min(range.length() - words * 32, 32U);
    const Code loaded = word_at(at + words * kWord) + (bits < 32 ? masked(~0U << (32 - bits)) : Code{});
    code = loaded + when(get_be32(bytes, words * kWord), code);
  }
  return code;
}

// Runs `otherwise` where the address at `at` is in none of these.
Code unless_among(std::uint32_t at, const std::vector<IpRange>& ranges, const Code& otherwise) {
  Code rest = otherwise;
  for (const auto& range : ranges) rest = where_in(at, range, jump_over(rest)) + rest;
  return rest;
}

// Runs `otherwise` where may_be_guests_link_local() does not hold for the address at `at`, or it is one of `others`.
Code unless_link_local(std::uint32_t at, const std::vector<Ipv6>& others, const Code& otherwise) {
  Code code;
  std::vector<std::size_t> leave_if, leave_unless;  // where the jumps to `otherwise` are
  const auto compare = [&](std::uint32_t value, std::vector<std::size_t>& leave) {
    leave.push_back(code.size());
    code.push_back({.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = 0, .k = value});
  };
  const auto load = [&](const Code& loaded) { code = std::move(code) + loaded; };
  load(word_at(at));
  compare(kLinkLocal, leave_unless);
  load(word_at(at + kWord));
  compare(0, leave_unless);
  load(word_at(at + kIdentifier));
  compare(0, leave_if);
  compare(kAnycastIdentifier, leave_if);
  load(half_at(at + kMiddle));
  compare(kEui64Middle, leave_if);
  for (const auto& other : others) {
    load(word_at(at + kIdentifier));
    code.push_back({.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = 2, .k = get_be32(other.bytes(), kIdentifier)});
    load(word_at(at + kIdentifier + kWord));
    compare(get_be32(other.bytes(), kIdentifier + kWord), leave_if);
  }
  load(jump_over(otherwise));
  const auto distance = [&](std::size_t from) { return static_cast<std::uint8_t>(code.size() - from - 1); };
  for (const auto place : leave_if) code[place].jt = distance(place);
  for (const auto place : leave_unless) code[place].jf = distance(place);
  return std::move(code) + otherwise;
}

Code drop_dhcpv6_server(std::uint32_t at) {
  return drop_below(at + kUdpDestination + 2) + half_at(at + kUdpDestination) + when(kDhcpv6ClientPort, drop());
}
Code drop_vrrp(std::uint32_t) { return drop(); }
Code drop_listener_query(std::uint32_t at) { return drop_below(at + 1) + byte_at(at) + when(kListenerQuery, drop()); }

class Program {
 public:
  explicit Program(const GuestSources& sources) : sources_(sources), granted_(sources.infrastructure) {
    for (const auto& range : sources.addresses)
      (std::holds_alternative<Ipv4>(range.first()) ? ipv4_ : ipv6_).push_back(range);
    for (const auto& mac : sources.macs) ipv6_.push_back(IpRange::network_of(eui64_link_local(mac), 128));
  }

  Code whole() const {
    Code code = drop_tagged() + drop_below(kNetwork) + drop_unless_guests(kSourceMac) + half_at(kEtherTypeAt) +
                when(kIpv4Type, ipv4()) + when(kArpType, arp());
    if (sources_.protocols == GuestProtocols::ipv4_and_ipv6) code = std::move(code) + when(kIpv6Type, ipv6());
    return std::move(code) + drop();
  }

 private:
  Code ipv4() const {
    const Code dhcp = byte_at(kNetwork) + drop_unless(kIpv4WithoutOptions) + half_at(kIpv4Fragment) +
                      masked(kIsFragment) + drop_unless(0) + byte_at(kIpv4Protocol) + drop_unless(IPPROTO_UDP) +
                      word_at(kIpv4Destination) + drop_unless(INADDR_BROADCAST) +
                      drop_below(kIpv4Payload + kUdpHeader) + word_at(kIpv4Payload) + drop_unless(kDhcpClientToServer) +
                      pass();
    const Code nowhere = word_at(kIpv4Source) + when(INADDR_ANY, dhcp) + drop();
    Code code = drop_bad_ipv4() + unless_among(kIpv4Source, ipv4_, nowhere);
    if (!granted_.router) code = std::move(code) + drop_ipv4_router_messages();
    if (!granted_.dhcp_server)
      code = std::move(code) + drop_ipv4_by_field(IPPROTO_UDP, kUdpDestination, BPF_H, {kDhcpClientPort});
    if (!granted_.multicast_querier) code = std::move(code) + drop_ipv4_by_field(IPPROTO_IGMP, 0, BPF_B, {kIgmpQuery});
    if (!granted_.vrrp) code = std::move(code) + byte_at(kIpv4Protocol) + when(kVrrp, drop());
    return std::move(code) + pass();
  }

  Code arp() const {
    return drop_below(kNetwork + kArpSize) + word_at(kNetwork) + drop_unless(kArpLead) + half_at(kNetwork + 4) +
           drop_unless(kArpAddressSizes) + drop_unless_guests(kArpSenderMac) + half_at(kArpOperation) +
           when(kArpRequest,
                unless_among(kArpSenderIp, ipv4_, word_at(kArpSenderIp) + when(INADDR_ANY, pass()) + drop()) + pass()) +
           when(kArpReply, unless_among(kArpSenderIp, ipv4_, drop()) + pass()) + drop();
  }

  Code ipv6() const {
    std::vector<Ipv6Judge> judges;
    if (!granted_.dhcp_server) judges.push_back({IPPROTO_UDP, drop_dhcpv6_server});
    if (!granted_.vrrp) judges.push_back({kVrrp, drop_vrrp});
    if (!granted_.multicast_querier) judges.push_back({IPPROTO_ICMPV6, drop_listener_query});
    const Code nowhere = ipv6_from_nowhere();
    const std::vector unspecified{IpRange::network_of(Ipv6(), 128)};
    return drop_bad_ipv6() + unless_among(kIpv6Source, unspecified, jump_over(nowhere)) + nowhere +
           drop_unless_own(kIpv6Source) + ipv6_by_next_header(icmpv6(), judges);
  }

  // From ::, before the guest has an address.
  Code ipv6_from_nowhere() const {
    const Code icmpv6 = drop_below(kIpv6Payload + 1) + byte_at(kIpv6Payload) +
                        when(kRouterSolicit, options_then_pass(kRouterSolicitation)) +
                        when(kNeighbourSolicit, own_target_then_options()) + drop();
    const Code listener = drop_below(kBehindExtension + 1) + byte_at(kExtensionLength) + drop_unless(0) +
                          byte_at(kExtensionNext) + drop_unless(IPPROTO_ICMPV6) + byte_at(kBehindExtension) +
                          when_any_of({kListenerReport, kListenerDone, kListenerReport2}, pass()) + drop();
    return byte_at(kIpv6NextHeader) + when(IPPROTO_ICMPV6, icmpv6) + when(IPPROTO_HOPOPTS, listener) + drop();
  }

  Code icmpv6() const {
    const Code type = drop_below(kIpv6Payload + 1) + byte_at(kIpv6Payload);
    return type + (granted_.router ? Code{} : when_any_of({kRouterAdvert, kRedirect}, drop())) +
           (granted_.multicast_querier ? Code{} : when(kListenerQuery, drop())) +
           when(kRouterSolicit, options_then_pass(kRouterSolicitation)) +
           when(kNeighbourSolicit, options_then_pass(kNeighbourMessage)) +
           when(kNeighbourAdvert, own_target_then_options()) + pass();
  }

  Code own_target_then_options() const {
    return drop_below(kNdTarget + kIpv6Address) + drop_unless_own(kNdTarget) + options_then_pass(kNeighbourMessage);
  }

  // Neighbour discovery's options fill the packet behind a message of `size` bytes. Receivers heed all of them, in any
  // order; so their places have to be known, and their number is.
  Code options_then_pass(std::uint32_t message) const {
    const std::uint32_t first = kIpv6Payload + message, second = first + kNdOption, end = second + kNdOption;
    return drop_below(first) + half_at(kIpv6PayloadLength) + when(message, pass()) +
           when(message + kNdOption, drop_below(second) + checked_option(first) + pass()) +
           when(message + 2 * kNdOption, drop_below(end) + checked_option(first) + checked_option(second) + pass()) +
           drop();
  }

  Code checked_option(std::uint32_t at) const {
    const Code nonce = drop_unless(kNonceOption);
    return half_at(at) +
           when_any_of({kSourceLinkLayerOption, kTargetLinkLayerOption},
                       drop_unless_guests(at + 2) + jump_over(nonce)) +
           nonce;
  }

  Code drop_unless_guests(std::uint32_t mac_at) const {
    Code rest = drop();
    for (const auto& mac : sources_.macs) {
      const Code same = half_at(mac_at + 4) + when(get_be16(mac.bytes(), 4), jump_over(rest));
      rest = word_at(mac_at) + when(get_be32(mac.bytes(), 0), same) + rest;
    }
    return rest;
  }

  Code drop_unless_own(std::uint32_t ipv6_at) const {
    return unless_among(ipv6_at, ipv6_, unless_link_local(ipv6_at, sources_.link_local_of_others, drop()));
  }

  const GuestSources& sources_;
  const Infrastructure& granted_;
  std::vector<IpRange> ipv4_;
  std::vector<IpRange> ipv6_;  // and the link-local addresses that the MAC addresses make
};

}  // namespace

std::vector<sock_filter> anti_spoof_program(const GuestSources& sources) { return Program(sources).whole(); }

bool may_be_guests_link_local(const Ipv6& address) {
  const auto& bytes = address.bytes();
  const auto identifier = get_be32(bytes, kIdentifier);
  return get_be32(bytes, 0) == kLinkLocal && get_be32(bytes, kWord) == 0 && identifier != 0 &&
         identifier != kAnycastIdentifier && get_be16(bytes, kMiddle) != kEui64Middle;
}

Ipv6 eui64_link_local(const MacAddress& mac) {
  const auto& bytes = mac.bytes();
  return Ipv6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(bytes[0] ^ 2), bytes[1], bytes[2], 0xff, 0xfe,
               bytes[3], bytes[4], bytes[5]});
}

}  // namespace umlnet
