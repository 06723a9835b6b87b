#include "libumlnet/core/anti_spoof.h"

#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "libumlnet/core/ethernet.h"
#include "libumlnet/core/network_order.h"

namespace umlnet {
namespace {

using Code = std::vector<sock_filter>;

// Where things stand in a frame, in bytes from the MAC header.
constexpr std::uint32_t kSourceMac = 6, kEtherType = 12, kNetwork = kEthernetHeader;
constexpr std::uint32_t kIpv4Fragment = kNetwork + 6, kIpv4Protocol = kNetwork + 9, kIpv4Source = kNetwork + 12,
                        kIpv4Destination = kNetwork + 16;
constexpr std::uint32_t kArpOperation = kNetwork + 6, kArpSenderMac = kNetwork + 8, kArpSenderIp = kNetwork + 14;
constexpr std::uint32_t kIpv6PayloadLength = kNetwork + 4, kIpv6NextHeader = kNetwork + 6, kIpv6Source = kNetwork + 8,
                        kIpv6Payload = kNetwork + 40;
constexpr std::uint32_t kNdTarget = kIpv6Payload + 8;  // of a solicitation and an advertisement
// An extension header of 8 bytes: a fragment header, or one of options whose length field is 0.
constexpr std::uint32_t kExtensionNext = kIpv6Payload, kExtensionLength = kIpv6Payload + 1,
                        kFragmentOffset = kIpv6Payload + 2, kBehindExtension = kIpv6Payload + 8;

// Sizes in bytes.
constexpr std::uint32_t kIpv4Header = 20, kUdpHeader = 8, kArpSize = 28, kIpv6Address = 16;
constexpr std::uint32_t kRouterSolicitation = 8, kNeighbourMessage = 24, kNdOption = 8;

constexpr auto kIpv4Type = std::uint32_t(EtherType::ipv4), kArpType = std::uint32_t(EtherType::arp),
               kIpv6Type = std::uint32_t(EtherType::ipv6);
constexpr std::uint32_t kArpLead = 0x0001'0800;     // hardware type Ethernet, protocol IPv4
constexpr std::uint32_t kArpAddressSizes = 0x0604;  // bytes of their addresses
constexpr std::uint32_t kArpRequest = 1, kArpReply = 2;
constexpr std::uint32_t kIpv4WithoutOptions = 0x45;  // version and header length
constexpr std::uint32_t kIsFragment = 0x3fff;        // more fragments, or an offset
constexpr std::uint32_t kDhcpClientToServer = 68 << 16 | 67;
constexpr std::uint32_t kFragmentOffsetMask = 0xfff8;

// ICMPv6 types: RFC 4861, 4; RFC 2710, 3; RFC 3810, 5.2.
constexpr std::uint32_t kListenerReport = 131, kListenerDone = 132, kRouterSolicit = 133, kRouterAdvert = 134,
                        kNeighbourSolicit = 135, kNeighbourAdvert = 136, kRedirect = 137, kListenerReport2 = 143;
// Options of neighbour discovery: the type, and the length in units of 8 bytes.
constexpr std::uint32_t kSourceLinkLayerOption = 1 << 8 | 1, kTargetLinkLayerOption = 2 << 8 | 1,
                        kNonceOption = 14 << 8 | 1;
// IANA's "IPv6 Extension Header Types", but for ESP, behind which nobody without its key finds anything; the last three
// are Mobility, HIP and Shim6.
constexpr auto kExtensionHeaders = std::to_array<std::uint32_t>(
    {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH, IPPROTO_DSTOPTS, 135, 139, 140});

sock_filter statement(unsigned code, std::uint32_t k) {
  return {.code = static_cast<std::uint16_t>(code), .jt = 0, .jf = 0, .k = k};
}

Code operator+(Code first, const Code& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// A load outside the frame would end the program, and pass the frame: whoever loads has seen to the size before.
Code byte_at(std::uint32_t at) { return {statement(BPF_LD | BPF_B | BPF_ABS, at)}; }
Code half_at(std::uint32_t at) { return {statement(BPF_LD | BPF_H | BPF_ABS, at)}; }
Code word_at(std::uint32_t at) { return {statement(BPF_LD | BPF_W | BPF_ABS, at)}; }
Code size() { return {statement(BPF_LD | BPF_W | BPF_LEN, 0)}; }
Code masked(std::uint32_t mask) { return {statement(BPF_ALU | BPF_AND | BPF_K, mask)}; }

Code pass() { return {statement(BPF_RET | BPF_K, static_cast<std::uint32_t>(TC_ACT_UNSPEC))}; }
Code drop() { return {statement(BPF_RET | BPF_K, TC_ACT_SHOT)}; }

// Conditions reach 255 instructions far, so each is a jump around a jump, which reaches everywhere.
Code jump_over(const Code& code) {
  return code.empty() ? Code{} : Code{statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(code.size()))};
}
// Runs `then` where what was loaded last is `value`; goes on behind it otherwise.
Code when(std::uint32_t value, const Code& then) {
  return Code{{.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 1, .jf = 0, .k = value}} + jump_over(then) + then;
}
Code when_any_of(std::span<const std::uint32_t> values, const Code& then) {
  // Each value jumps to `then`, which stands behind the last and a jump around it.
  Code code;
  auto left = static_cast<std::uint8_t>(values.size());
  for (const auto value : values)
    code.push_back({.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = left--, .jf = 0, .k = value});
  return std::move(code) + jump_over(then) + then;
}
Code when_any_of(std::initializer_list<std::uint32_t> values, const Code& then) {
  return when_any_of(std::span(values.begin(), values.size()), then);
}
Code drop_unless(std::uint32_t value) {
  return Code{{.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 1, .jf = 0, .k = value}} + drop();
}
Code drop_below(std::uint32_t frame_size) {
  return size() + Code{{.code = BPF_JMP | BPF_JGE | BPF_K, .jt = 1, .jf = 0, .k = frame_size}} + drop();
}

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

  Code whole() const {
    return byte_at(static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)) + drop_unless(0) +
           drop_below(kNetwork) + drop_unless_guests(kSourceMac) + half_at(kEtherType) + when(kIpv4Type, ipv4()) +
           when(kArpType, arp()) + when(kIpv6Type, ipv6()) + drop();
  }

 private:
  Code ipv4() const {
    const Code dhcp = byte_at(kNetwork) + drop_unless(kIpv4WithoutOptions) + half_at(kIpv4Fragment) +
                      masked(kIsFragment) + drop_unless(0) + byte_at(kIpv4Protocol) + drop_unless(IPPROTO_UDP) +
                      word_at(kIpv4Destination) + drop_unless(INADDR_BROADCAST) +
                      drop_below(kNetwork + kIpv4Header + kUdpHeader) + word_at(kNetwork + kIpv4Header) +
                      drop_unless(kDhcpClientToServer) + pass();
    return drop_below(kNetwork + kIpv4Header) + byte_at(kNetwork) + masked(0xf0) + drop_unless(0x40) +
           unless_among(kIpv4Source, ipv4_, when(INADDR_ANY, dhcp) + drop()) + pass();
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
    return drop_below(kIpv6Payload) + byte_at(kNetwork) + masked(0xf0) + drop_unless(0x60) +
           unless_among(kIpv6Source, std::span(&kUnspecified, 1), jump_over(nowhere)) + nowhere +
           drop_unless_own(kIpv6Source) + byte_at(kIpv6NextHeader) + when(IPPROTO_ICMPV6, icmpv6()) +
           when_any_of({IPPROTO_HOPOPTS, IPPROTO_DSTOPTS},
                       drop_below(kBehindExtension) + byte_at(kExtensionLength) + drop_unless(0) +
                           byte_at(kExtensionNext) + when_any_of(kExtensionHeaders, drop()) +
                           when(IPPROTO_ICMPV6, icmpv6_behind_extension()) + pass()) +
           when(IPPROTO_FRAGMENT, drop_below(kBehindExtension) + byte_at(kExtensionNext) +
                                      when_any_of(kExtensionHeaders, drop()) + when(IPPROTO_ICMPV6, icmpv6_fragment()) +
                                      pass()) +
           when_any_of(kExtensionHeaders, drop()) + pass();
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
    return drop_below(kIpv6Payload + 1) + byte_at(kIpv6Payload) + when_any_of({kRouterAdvert, kRedirect}, drop()) +
           when(kRouterSolicit, options_then_pass(kRouterSolicitation)) +
           when(kNeighbourSolicit, options_then_pass(kNeighbourMessage)) +
           when(kNeighbourAdvert, own_target_then_options()) + pass();
  }

  static Code icmpv6_behind_extension() {
    return drop_below(kBehindExtension + 1) + byte_at(kBehindExtension) +
           when_any_of({kRouterSolicit, kRouterAdvert, kNeighbourSolicit, kNeighbourAdvert, kRedirect}, drop()) +
           pass();
  }

  // The first one says what it is. Without it the others come to nothing.
  static Code icmpv6_fragment() {
    return half_at(kFragmentOffset) + masked(kFragmentOffsetMask) + when(0, icmpv6_behind_extension()) + pass();
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
                                            std::span<const Ipv6> ipv6) {
  return Program(guest, ipv4, ipv6).whole();
}

Ipv6 eui64_link_local(const MacAddress& mac) {
  const auto& bytes = mac.bytes();
  return Ipv6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(bytes[0] ^ 2), bytes[1], bytes[2], 0xff, 0xfe,
               bytes[3], bytes[4], bytes[5]});
}

}  // namespace umlnet
