#include "libumlnet/core/anti_spoof.h"

#include <netinet/in.h>

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

// ICMPv6 types of listeners: RFC 2710, 3; RFC 3810, 5.2.
constexpr std::uint32_t kListenerReport = 131, kListenerDone = 132, kListenerReport2 = 143;
// Options of neighbour discovery: the type, and the length in units of 8 bytes.
constexpr std::uint32_t kSourceLinkLayerOption = 1 << 8 | 1, kTargetLinkLayerOption = 2 << 8 | 1,
                        kNonceOption = 14 << 8 | 1;

// Runs `otherwise` where the address at `at` is none of these; of IPv4, it is what was loaded last.
Code unless_among(std::uint32_t at, std::span<const Ipv4> addresses, const Code& otherwise) {
  Code rest = otherwise;
  for (const auto address : addresses)
    rest = Code{{.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = 1, .k = address.value()}} + jump_over(rest) + rest;
  return word_at(at) + rest;
}
Code unless_among(std::uint32_t at, std::span<const Ipv6> addresses, const Code& otherwise) {
  constexpr std::uint32_t kWord = sizeof(std::uint32_t);
  Code rest = otherwise;
  for (const auto& address : addresses) {
    // A word that differs jumps behind the jump over the rest.
    Code same;
    for (std::uint32_t word = 0; word < address.bytes().size(); word += kWord) {
      const auto left = static_cast<std::uint8_t>(2 * (address.bytes().size() - word) / kWord - 1);
      same = std::move(same) + word_at(at + word);
      same.push_back({.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = left, .k = get_be32(address.bytes(), word)});
    }
    rest = std::move(same) + jump_over(rest) + rest;
  }
  return rest;
}

class Program {
 public:
  Program(const MacAddress& guest, std::span<const Ipv4> ipv4, std::span<const Ipv6> ipv6)
      : guest_(guest), ipv4_(ipv4), ipv6_(ipv6.begin(), ipv6.end()) {
    ipv6_.push_back(eui64_link_local(guest));
  }

  Code whole(GuestProtocols protocols) const {
    Code code = drop_tagged() + drop_below(kNetwork) + drop_unless_guests(kSourceMac) + half_at(kEtherTypeAt) +
                when(kIpv4Type, ipv4()) + when(kArpType, arp());
    if (protocols == GuestProtocols::ipv4_and_ipv6) code = std::move(code) + when(kIpv6Type, ipv6());
    return std::move(code) + drop();
  }

 private:
  Code ipv4() const {
    const Code dhcp = byte_at(kNetwork) + drop_unless(kIpv4WithoutOptions) + half_at(kIpv4Fragment) +
                      masked(kIsFragment) + drop_unless(0) + byte_at(kIpv4Protocol) + drop_unless(IPPROTO_UDP) +
                      word_at(kIpv4Destination) + drop_unless(INADDR_BROADCAST) +
                      drop_below(kIpv4Payload + kUdpHeader) + word_at(kIpv4Payload) + drop_unless(kDhcpClientToServer) +
                      pass();
    return drop_bad_ipv4() + unless_among(kIpv4Source, ipv4_, when(INADDR_ANY, dhcp) + drop()) +
           drop_ipv4_router_messages() + pass();
  }

  Code arp() const {
    return drop_below(kNetwork + kArpSize) + word_at(kNetwork) + drop_unless(kArpLead) + half_at(kNetwork + 4) +
           drop_unless(kArpAddressSizes) + drop_unless_guests(kArpSenderMac) + half_at(kArpOperation) +
           when(kArpRequest, unless_among(kArpSenderIp, ipv4_, when(INADDR_ANY, pass()) + drop()) + pass()) +
           when(kArpReply, unless_among(kArpSenderIp, ipv4_, drop()) + pass()) + drop();
  }

  Code ipv6() const {
    const Code nowhere = ipv6_from_nowhere();
    constexpr Ipv6 kUnspecified;
    return drop_bad_ipv6() + unless_among(kIpv6Source, std::span(&kUnspecified, 1), jump_over(nowhere)) + nowhere +
           drop_unless_own(kIpv6Source) + ipv6_by_next_header(icmpv6());
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
    return drop_ipv6_router_messages() + when(kRouterSolicit, options_then_pass(kRouterSolicitation)) +
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
    const auto& mac = guest_.bytes();
    return word_at(mac_at) + drop_unless(get_be32(mac, 0)) + half_at(mac_at + 4) + drop_unless(get_be16(mac, 4));
  }

  Code drop_unless_own(std::uint32_t ipv6_at) const { return unless_among(ipv6_at, ipv6_, drop()); }

  MacAddress guest_;
  std::span<const Ipv4> ipv4_;
  std::vector<Ipv6> ipv6_;  // and the link-local address
};

}  // namespace

std::vector<sock_filter> anti_spoof_program(const MacAddress& guest, std::span<const Ipv4> ipv4,
                                            std::span<const Ipv6> ipv6, GuestProtocols protocols) {
  return Program(guest, ipv4, ipv6).whole(protocols);
}

Ipv6 eui64_link_local(const MacAddress& mac) {
  const auto& bytes = mac.bytes();
  return Ipv6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(bytes[0] ^ 2), bytes[1], bytes[2], 0xff, 0xfe,
               bytes[3], bytes[4], bytes[5]});
}

}  // namespace umlnet
