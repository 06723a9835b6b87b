// What keeps a guest to its own addresses: a classic-BPF program for the frames that come from it, run by the kernel at
// the ingress of its TAP (traffic_control.h).
//
// Passed on are only frames from one of the guest's MAC addresses, without a VLAN tag, that are one of
//   IPv4  from one of its addresses or networks; or a DHCP client's broadcast (0.0.0.0 port 68 to 255.255.255.255 port
//         67)
//   ARP   request or reply, from one of its MAC addresses (sender hardware address too) and one of its IPv4 addresses;
//         or a request from 0.0.0.0, with which a host asks whether its address is free (RFC 5227)
//   IPv6  from one of its addresses or networks, or a link-local address that may be its own (see below); or from ::,
//   as
//         a host asks before it has an address: a solicitation for one of its own (RFC 4862), for routers, and reports
//         of multicast listeners (RFC 3590)
// and of IPv6's neighbour discovery (RFC 4861)
//   - advertisements only of addresses of its own, and its own MAC addresses in every link-layer address option
//   - no more options than two, of 8 bytes each, link-layer address or nonce (RFC 7527): what hosts send. So SEND (RFC
//     3971) does not work.
//   - nothing after an extension header, and nothing in fragments (RFC 6980)
// Of extension headers one is let through: hop-by-hop options or destination options of 8 bytes, or a fragment header.
// Anything else is dropped: other EtherTypes (among them LLDP), 802.3 frames (spanning tree), runts, frames that end
// before what is to be checked.
//
// A guest's link-local address is the one that its MAC address makes (EUI-64, RFC 4291 appendix A), or any of fe80::/64
// whose interface identifier looks random, as hosts make it by RFC 7217 and RFC 8981: nobody can know it beforehand.
// What can be another's is not let through as the guest's: identifiers that a MAC address makes, those of 32 bits or
// fewer (fe80::1), anycast ones (RFC 2526), and the addresses that the caller of the program names.
//
// Dropped too is what the infrastructure of a network sends, each kind unless it was granted: see Infrastructure. mDNS
// and LLMNR pass, as any other service: a guest answers there for its name, from its own address.
//
// Not for a device with virtio-net headers (IFF_VNET_HDR): whoever holds it can ask for a checksum at any place from
// byte 20 on (VIRTIO_NET_HDR_F_NEEDS_CSUM), which the kernel writes after the program has run, over an address too.
//
// The program does not keep a guest from offering other services, nor from asking for floods of answers.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "libumlnet/core/host_guard.h"
#include "libumlnet/core/ip_range.h"
#include "libumlnet/core/ipv6.h"
#include "libumlnet/core/mac_address.h"

namespace umlnet {

// The most addresses and networks of a family, the most MAC addresses, and the most link-local addresses of others that
// a program is for. With so many of all it has about 2,900 instructions, of the 4,096 that the kernel takes.
inline constexpr std::size_t kMaxGuestAddresses = 16;
inline constexpr std::size_t kMaxGuestMacs = 8;
inline constexpr std::size_t kMaxLinkLocalOfOthers = 16;

// What the infrastructure of a network sends, and an ordinary guest does not.
struct Infrastructure {
  bool dhcp_server = false;        // DHCP to clients: UDP to port 68, of IPv6 to port 546
  bool router = false;             // router advertisements and redirects, of ICMP and ICMPv6; none in fragments of IPv6
  bool vrrp = false;               // IP protocol 112: VRRP and CARP
  bool multicast_querier = false;  // queries of IGMP and MLD

  bool operator==(const Infrastructure&) const = default;
};

// The kinds by name, as policy and the audit log have them.
struct InfrastructureKind {
  std::string_view name;
  bool Infrastructure::* granted;
};
inline constexpr InfrastructureKind kInfrastructureKinds[] = {
    {"dhcp-server", &Infrastructure::dhcp_server},
    {"router", &Infrastructure::router},
    {"vrrp", &Infrastructure::vrrp},
    {"multicast-querier", &Infrastructure::multicast_querier},
};

// What a guest may send.
struct GuestSources {
  std::vector<MacAddress> macs;    // at least one, and at most kMaxGuestMacs
  std::vector<IpRange> addresses;  // at most kMaxGuestAddresses of each family, none unspecified or a group's
  // Link-local addresses that are others', where may_be_guests_link_local() says that they could be the guest's: at
  // most kMaxLinkLocalOfOthers.
  std::vector<Ipv6> link_local_of_others = {};
  Infrastructure infrastructure = {};
  // Without IPv6 in it, no IPv6 passes, and addresses of IPv6 mean nothing.
  GuestProtocols protocols = GuestProtocols::ipv4_and_ipv6;
};

// The program, for a classifier in direct-action mode: TC_ACT_UNSPEC (-1) passes a frame on, TC_ACT_SHOT drops it.
std::vector<sock_filter> anti_spoof_program(const GuestSources& sources);

// The link-local address that a MAC address makes: fe80::/64 with the modified EUI-64.
Ipv6 eui64_link_local(const MacAddress& mac);

// Whether the address is in fe80::/64 and has an interface identifier that looks random, so that the program takes it
// for the guest's unless it is named as another's.
bool may_be_guests_link_local(const Ipv6& address);

}  // namespace umlnet
