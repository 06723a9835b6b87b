// What keeps a guest to its own addresses: a classic-BPF program for the frames that come from it, run by the kernel at
// the ingress of its TAP (traffic_control.h).
//
// Passed on are only frames from the guest's own MAC address, without a VLAN tag, that are one of
//   IPv4  from one of its addresses, but no ICMP redirect and no ICMP router advertisement; or a DHCP client's
//   broadcast
//         (0.0.0.0 port 68 to 255.255.255.255 port 67)
//   ARP   request or reply, from its MAC address (sender hardware address too) and one of its IPv4 addresses; or a
//   request
//         from 0.0.0.0, with which a host asks whether its address is free (RFC 5227)
//   IPv6  from one of its addresses, or the link-local address that its MAC address makes (EUI-64, RFC 4291 appendix
//   A);
//         or from ::, as a host asks before it has an address: a solicitation for one of its own (RFC 4862), for
//         routers, and reports of multicast listeners (RFC 3590)
// and of IPv6's neighbour discovery (RFC 4861)
//   - advertisements only of addresses of its own, and its own MAC address in every link-layer address option
//   - no router advertisements, no redirects
//   - no more options than two, of 8 bytes each, link-layer address or nonce (RFC 7527): what hosts send. So SEND (RFC
//     3971) does not work.
//   - nothing behind an extension header, and nothing in fragments (RFC 6980)
// Of extension headers one is let through: hop-by-hop options or destination options of 8 bytes, or a fragment header.
// Anything else is dropped: other EtherTypes, runts, frames that end before what is to be checked.
//
// A guest whose link-local address is made otherwise (RFC 7217, as NetworkManager does it) needs that one on the list.
// Not for a device with virtio-net headers (IFF_VNET_HDR): whoever holds it can ask for a checksum at any place from
// byte 20 on (VIRTIO_NET_HDR_F_NEEDS_CSUM), which the kernel writes after the program has run, over an address too.
//
// The program does not keep a guest from offering services, DHCP among them, nor from asking for floods of answers.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <span>
#include <vector>

#include "libumlnet/core/host_guard.h"
#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/ipv6.h"
#include "libumlnet/core/mac_address.h"

namespace umlnet {

// The most addresses of a family that a program is for. With so many it has about 1,100 instructions, of the 4,096 that
// the kernel takes.
inline constexpr std::size_t kMaxGuestAddresses = 16;

// The program, for a classifier in direct-action mode: TC_ACT_UNSPEC (-1) passes a frame on, TC_ACT_SHOT drops it.
// At most kMaxGuestAddresses of each family, none of them unspecified or a group's. Without IPv6 in `protocols` no IPv6
// passes, and `ipv6` means nothing.
std::vector<sock_filter> anti_spoof_program(const MacAddress& guest, std::span<const Ipv4> ipv4,
                                            std::span<const Ipv6> ipv6,
                                            GuestProtocols protocols = GuestProtocols::ipv4_and_ipv6);

// The link-local address that a MAC address makes: fe80::/64 with the modified EUI-64.
Ipv6 eui64_link_local(const MacAddress& mac);

}  // namespace umlnet
