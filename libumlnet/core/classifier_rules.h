// What every classifier of this project holds a guest's frame to, whatever else it checks: no VLAN tag, and nothing by
// which a router configures a host (router advertisements, redirects), also where it is hidden behind options,
// extension headers or in fragments. Written for the assembler of classifier_code.h.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>

#include "libumlnet/core/classifier_code.h"
#include "libumlnet/core/ethernet.h"

namespace umlnet::classifier {

// Offsets in a frame, in bytes from the MAC header.
inline constexpr std::uint32_t kEtherTypeAt = 12, kNetwork = kEthernetHeader;
inline constexpr std::uint32_t kIpv4Fragment = kNetwork + 6, kIpv4Protocol = kNetwork + 9, kIpv4Payload = kNetwork + 20;
inline constexpr std::uint32_t kIpv6NextHeader = kNetwork + 6, kIpv6Payload = kNetwork + 40;
// An extension header of 8 bytes: a fragment header, or one of options whose length field is 0.
inline constexpr std::uint32_t kExtensionNext = kIpv6Payload, kExtensionLength = kIpv6Payload + 1,
                               kFragmentOffset = kIpv6Payload + 2, kBehindExtension = kIpv6Payload + 8;

inline constexpr auto kIpv4Type = std::uint32_t(EtherType::ipv4), kArpType = std::uint32_t(EtherType::arp),
                      kIpv6Type = std::uint32_t(EtherType::ipv6);
inline constexpr std::uint32_t kIpv4OffsetMask = 0x1fff, kFragmentOffsetMask = 0xfff8;

// ICMP types: RFC 792, RFC 1256.
inline constexpr std::uint32_t kIpv4Redirect = 5, kIpv4RouterAdvert = 9;
// ICMPv6 types of neighbour discovery: RFC 4861, 4.
inline constexpr std::uint32_t kRouterSolicit = 133, kRouterAdvert = 134, kNeighbourSolicit = 135,
                               kNeighbourAdvert = 136, kRedirect = 137;

// IANA's "IPv6 Extension Header Types", but for ESP, behind which nobody without its key finds anything; the last three
// are Mobility, HIP and Shim6.
inline constexpr auto kExtensionHeaders = std::to_array<std::uint32_t>(
    {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH, IPPROTO_DSTOPTS, 135, 139, 140});

// The kernel has taken the outer tag out of the frame. It takes off an inner tag with the VLAN 0, too, but only behind
// an outer one.
constexpr Code drop_tagged() {
  return byte_at(static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)) + drop_unless(0);
}

// For IPv4: what is no whole header, or of another version.
constexpr Code drop_bad_ipv4() {
  return drop_below(kIpv4Payload) + byte_at(kNetwork) + masked(0xf0) + drop_unless(0x40);
}

// For a whole IPv4 header: drops packets of `protocol` that have one of `values` at `at` bytes into what follows the
// header, behind options too, in a field of `size` (BPF_B, BPF_H). Of fragments, the first one has the field; without
// it the others come to nothing. A packet that ends before the field is dropped.
constexpr Code drop_ipv4_by_field(std::uint32_t protocol, std::uint32_t at, unsigned size,
                                  std::initializer_list<std::uint32_t> values) {
  constexpr sock_filter kHeaderLength{.code = BPF_LDX | BPF_B | BPF_MSH, .jt = 0, .jf = 0, .k = kNetwork};
  const std::uint32_t end = at + (size == BPF_H ? 2 : 1);
  const Code drop_without_field = {kHeaderLength,
                                   statement(BPF_MISC | BPF_TXA, 0),
                                   statement(BPF_ALU | BPF_ADD | BPF_K, kNetwork + end),
                                   statement(BPF_MISC | BPF_TAX, 0),
                                   statement(BPF_LD | BPF_W | BPF_LEN, 0),
                                   {.code = BPF_JMP | BPF_JGE | BPF_X, .jt = 1, .jf = 0, .k = 0},
                                   statement(BPF_RET | BPF_K, TC_ACT_SHOT)};
  const Code field = {kHeaderLength, statement(BPF_LD | size | BPF_IND, kNetwork + at)};
  return byte_at(kIpv4Protocol) + when(protocol, half_at(kIpv4Fragment) + masked(kIpv4OffsetMask) +
                                                     when(0, drop_without_field + field + when_any_of(values, drop())));
}

// For a whole IPv4 header: drops ICMP redirects and router advertisements.
constexpr Code drop_ipv4_router_messages() {
  return drop_ipv4_by_field(IPPROTO_ICMP, 0, BPF_B, {kIpv4Redirect, kIpv4RouterAdvert});
}

// For IPv6: what is no whole header, or of another version.
constexpr Code drop_bad_ipv6() {
  return drop_below(kIpv6Payload) + byte_at(kNetwork) + masked(0xf0) + drop_unless(0x60);
}

// What is dropped of a protocol above IPv6: `judge` makes the code for a header at `at`, which drops or falls through.
struct Ipv6Judge {
  std::uint32_t protocol;
  Code (*judge)(std::uint32_t at);
};

constexpr Code drop_neighbour_discovery(std::uint32_t at) {
  return drop_below(at + 1) + byte_at(at) +
         when_any_of({kRouterSolicit, kRouterAdvert, kNeighbourSolicit, kNeighbourAdvert, kRedirect}, drop());
}

// For a whole IPv6 header: passes or drops by what follows it. `icmpv6` passes or drops what follows it directly, and
// `judges` what is above. Of extension headers one is let through: hop-by-hop or destination options of 8 bytes, or a
// fragment header. Behind it there is no neighbour discovery (RFC 6980). A later fragment is no way around that: what
// the packet is, and its type, the first one says.
constexpr Code ipv6_by_next_header(const Code& icmpv6, std::span<const Ipv6Judge> judges = {}) {
  const Code no_discovery = drop_neighbour_discovery(kBehindExtension);
  Code direct, in_options = when_any_of(kExtensionHeaders, drop()), in_fragment = in_options;
  const auto add_hidden = [&](std::uint32_t protocol, const Code& hidden) {
    in_options = std::move(in_options) + when(protocol, hidden);
    in_fragment = std::move(in_fragment) +
                  when(protocol, half_at(kFragmentOffset) + masked(kFragmentOffsetMask) + when(0, hidden) + pass());
  };
  bool judges_icmpv6 = false;
  for (const auto& [protocol, judge] : judges) {
    const bool is_icmpv6 = protocol == IPPROTO_ICMPV6;
    judges_icmpv6 |= is_icmpv6;
    add_hidden(protocol, (is_icmpv6 ? no_discovery : Code{}) + judge(kBehindExtension) + pass());
    if (!is_icmpv6) direct = std::move(direct) + when(protocol, judge(kIpv6Payload) + pass());
  }
  if (!judges_icmpv6) add_hidden(IPPROTO_ICMPV6, no_discovery + pass());
  return byte_at(kIpv6NextHeader) + when(IPPROTO_ICMPV6, icmpv6) + direct +
         when_any_of({IPPROTO_HOPOPTS, IPPROTO_DSTOPTS}, drop_below(kBehindExtension) + byte_at(kExtensionLength) +
                                                             drop_unless(0) + byte_at(kExtensionNext) + in_options +
                                                             pass()) +
         when(IPPROTO_FRAGMENT, drop_below(kBehindExtension) + byte_at(kExtensionNext) + in_fragment + pass()) +
         when_any_of(kExtensionHeaders, drop()) + pass();
}

// For a whole IPv6 header that an ICMPv6 message follows.
constexpr Code drop_ipv6_router_messages() {
  return drop_below(kIpv6Payload + 1) + byte_at(kIpv6Payload) + when_any_of({kRouterAdvert, kRedirect}, drop());
}

}  // namespace umlnet::classifier
