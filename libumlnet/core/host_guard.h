// What keeps a guest from configuring the host: a classic-BPF program for the frames that come from it, run by the
// kernel at the ingress of its TAP (traffic_control.h). For a TAP that is no bridge port.
//
// Passed on are only frames without a VLAN tag that are
//   ARP
//   IPv4  but no ICMP redirect and no ICMP router advertisement, also behind IP options and in fragments
//   IPv6  where it was granted, but no router advertisement and no redirect (RFC 4861). Of extension headers one is let
//         through: hop-by-hop or destination options of 8 bytes, or a fragment header; behind it there is no neighbour
//         discovery.
// Anything else is dropped: other EtherTypes, runts, frames that end before what is to be checked.
//
// The program does not look at source addresses: that is what anti_spoof_program() does, which has the same guarantees.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>

namespace umlnet {

// What the host takes from a guest.
enum class GuestProtocols : std::uint8_t { ipv4, ipv4_and_ipv6 };

// The program, a constant, for a classifier in direct-action mode: TC_ACT_UNSPEC (-1) passes a frame on, TC_ACT_SHOT
// drops it.
std::span<const sock_filter> host_guard_program(GuestProtocols protocols);

}  // namespace umlnet
