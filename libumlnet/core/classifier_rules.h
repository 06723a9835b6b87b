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

// For a whole IPv4 header: drops ICMP redirects and router advertisements, behind options too. The first fragment has
// the type; without it the others come to nothing.
constexpr Code drop_ipv4_router_messages() {
  constexpr sock_filter kHeaderLength{.code = BPF_LDX | BPF_B | BPF_MSH, .jt = 0, .jf = 0, .k = kNetwork};
  const Code drop_without_type = {kHeaderLength,
                                  statement(BPF_MISC | BPF_TXA, 0),
                                  statement(BPF_ALU | BPF_ADD | BPF_K, kNetwork + 1),
                                  statement(BPF_MISC | BPF_TAX, 0),
                                  statement(BPF_LD | BPF_W | BPF_LEN, 0),
                                  {.code = BPF_JMP | BPF_JGE | BPF_X, .jt = 1, .jf = 0, .k = 0},
                                  statement(BPF_RET | BPF_K, TC_ACT_SHOT)};
  const Code type = {kHeaderLength, statement(BPF_LD | BPF_B | BPF_IND, kNetwork)};
  const Code icmp = half_at(kIpv4Fragment) + masked(kIpv4OffsetMask) +
                    when(0, drop_without_type + type + when_any_of({kIpv4Redirect, kIpv4RouterAdvert}, drop()));
  return byte_at(kIpv4Protocol) + when(IPPROTO_ICMP, icmp);
}

// For IPv6: what is no whole header, or of another version.
constexpr Code drop_bad_ipv6() {
  return drop_below(kIpv6Payload) + byte_at(kNetwork) + masked(0xf0) + drop_unless(0x60);
}

// For a whole IPv6 header: passes or drops by what follows it. `icmpv6` passes or drops what follows it directly. Of
// extension headers one is let through: hop-by-hop or destination options of 8 bytes, or a fragment header. Behind it
// there is no neighbour discovery (RFC 6980). A later fragment is no way around that: what the packet is, and its type,
// the first one says.
constexpr Code ipv6_by_next_header(const Code& icmpv6) {
  const Code behind_extension =
      drop_below(kBehindExtension + 1) + byte_at(kBehindExtension) +
      when_any_of({kRouterSolicit, kRouterAdvert, kNeighbourSolicit, kNeighbourAdvert, kRedirect}, drop()) + pass();
  const Code fragment = half_at(kFragmentOffset) + masked(kFragmentOffsetMask) + when(0, behind_extension) + pass();
  return byte_at(kIpv6NextHeader) + when(IPPROTO_ICMPV6, icmpv6) +
         when_any_of({IPPROTO_HOPOPTS, IPPROTO_DSTOPTS}, drop_below(kBehindExtension) + byte_at(kExtensionLength) +
                                                             drop_unless(0) + byte_at(kExtensionNext) +
                                                             when_any_of(kExtensionHeaders, drop()) +
                                                             when(IPPROTO_ICMPV6, behind_extension) + pass()) +
         when(IPPROTO_FRAGMENT, drop_below(kBehindExtension) + byte_at(kExtensionNext) +
                                    when_any_of(kExtensionHeaders, drop()) + when(IPPROTO_ICMPV6, fragment) + pass()) +
         when_any_of(kExtensionHeaders, drop()) + pass();
}

// For a whole IPv6 header that an ICMPv6 message follows.
constexpr Code drop_ipv6_router_messages() {
  return drop_below(kIpv6Payload + 1) + byte_at(kIpv6Payload) + when_any_of({kRouterAdvert, kRedirect}, drop());
}

}  // namespace umlnet::classifier
