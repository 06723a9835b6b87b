// rtnetlink messages as bytes: the requests that the toolkit sends and the records that it reads (rtnetlink(7),
// linux/rtnetlink.h, linux/if_link.h, linux/neighbour.h). No socket here: whoever has one sends and receives. Addresses
// of IPv6 are in rtnetlink_ipv6.h, the routes that a host has in rtnetlink_routes.h, what looks at a device's frames in
// traffic_control.h.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/ip_range.h"
#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/mac_address.h"

namespace umlnet::rtnetlink {

using Bytes = std::vector<std::uint8_t>;
using ByteSpan = std::span<const std::uint8_t>;

// The numbers that mark a route (rtm_protocol) or a proxy entry (NDA_PROTOCOL) as made by this toolkit. They lie in the
// range that the kernel leaves to user space, beside none that iproute2's rt_protos names.
inline constexpr std::uint8_t kProtocol = 117;
// A proxy entry on a device whose forwarding was off before the toolkit turned it on; with the last such entry of the
// device forwarding goes off again. The mark stands in the kernel, so that it survives a killed helper.
inline constexpr std::uint8_t kProtocolForwarding = 118;

constexpr bool is_our_protocol(std::uint8_t protocol) {
  return protocol == kProtocol || protocol == kProtocolForwarding;
}

struct Ipv4Settings {
  bool forwarding = false;
  bool proxy_arp = false;
};

// To be read only: the kernel takes no change of these by rtnetlink, and the sysctls net.ipv6.conf are root's to write.
// A device answers for a proxy entry where its own `forwarding` is on, and its own `proxy_ndp` or that of all devices
// (ndisc_recv_ns() in net/ipv6/ndisc.c); a packet is forwarded where `forwarding` of all devices is on.
struct Ipv6Settings {
  bool forwarding = false;
  bool proxy_ndp = false;
  bool disabled = false;  // net.ipv6.conf.DEV.disable_ipv6; in the records of links only
};

struct Link {
  int ifindex = 0;
  std::string name;
  std::vector<std::string> alternative_names;  // IFLA_ALT_IFNAME: unique among all names of the namespace
  bool up = false;
  bool loopback = false;
  bool carrier = false;
  std::string alias;
  std::string kind;                // IFLA_INFO_KIND: "tun" for TUN and TAP, "veth", ...
  bool tap = false;                // kind "tun", of type IFF_TAP
  bool persistent = false;         // a TUN or TAP that outlives its fds
  std::optional<uid_t> tun_owner;  // TUNSETOWNER
  unsigned queues = 0;             // of a TUN or TAP: fds attached to it, or could be again (IFF_DETACH_QUEUE)
  int master = 0;                  // the index of the bridge or bond that it is a port of
  bool isolated = false;           // a port of a bridge that exchanges no frames with other isolated ports
  std::uint32_t group = 0;         // IFLA_GROUP: 0 unless somebody set it
  unsigned mtu = 0;
  std::optional<MacAddress> mac;  // where the device has one of Ethernet's size
  Ipv4Settings ipv4;
  Ipv6Settings ipv6;
  // What the device received and sent: for a TAP, from and to the guest. tx_dropped: what its full queue cost. In the
  // answers to get_link() and dump_links_with_statistics() only.
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0, tx_dropped = 0;
};

// Whether it is the device's name or one of its alternative names, but for marks (device_marks.h).
bool is_named(const Link& link, std::string_view name);

struct Address {
  int ifindex = 0;
  Ipv4 address;
  Ipv4Mask mask;
  std::optional<Ipv4> broadcast;
};

// A published (proxy) neighbour entry.
struct ProxyEntry {
  int ifindex = 0;
  Ipv4 address;
  std::uint8_t protocol = 0;
};

// Requests. Each is one whole message, with NLM_F_ACK or NLM_F_DUMP set as it needs; `sequence` comes back in the
// answer.
Bytes dump_links(std::uint32_t sequence);
Bytes dump_links_with_statistics(std::uint32_t sequence);
Bytes dump_addresses(std::uint32_t sequence);
Bytes dump_proxy_entries(std::uint32_t sequence);
// Of IPv4 and IPv6 alike, in one dump.
Bytes dump_all_addresses(std::uint32_t sequence);
Bytes dump_all_proxy_entries(std::uint32_t sequence);
Bytes get_link(std::uint32_t sequence, std::string_view name);
inline constexpr int kAllDevices = -1;     // NETCONFA_IFINDEX_ALL: net.ipv4.conf.all, net.ipv6.conf.all
inline constexpr int kDefaultDevice = -2;  // NETCONFA_IFINDEX_DEFAULT: net.ipv4.conf.default, net.ipv6.conf.default
Bytes get_ipv4_settings(std::uint32_t sequence, int which);
Bytes get_ipv6_settings(std::uint32_t sequence, int which);

Bytes set_link_up(std::uint32_t sequence, int ifindex);
// The link group in the same step, where it is not 0.
Bytes set_link_alias(std::uint32_t sequence, int ifindex, std::string_view alias, std::uint32_t group = 0);
Bytes set_link_mtu(std::uint32_t sequence, int ifindex, unsigned mtu);
Bytes set_link_mac(std::uint32_t sequence, int ifindex, const MacAddress& mac);
Bytes set_link_master(std::uint32_t sequence, int ifindex, int master);  // the bridge that it becomes a port of
// Fails with EOPNOTSUPP where the device is no port of a bridge.
Bytes set_port_isolation(std::uint32_t sequence, int ifindex, bool on);
// Into the network namespace behind `netns_fd`, which stays the caller's; under a new name, or the one that it has
// where `new_name` is empty. The device is down afterwards, and has lost its bridge, addresses and routes; its fds,
// owner, alias, MAC address and MTU stay. CAP_NET_ADMIN is asked for over that namespace too. Fails with EEXIST where
// the name is taken there.
Bytes move_link(std::uint32_t sequence, int ifindex, int netns_fd, std::string_view new_name = {});
Bytes delete_link(std::uint32_t sequence, int ifindex);
// Every device of a group, in one step. The kernel refuses group 0 (EPERM), a group with a device that cannot be
// deleted (EOPNOTSUPP), and one without devices (ENODEV).
Bytes delete_link_group(std::uint32_t sequence, std::uint32_t group);
Bytes set_forwarding(std::uint32_t sequence, int ifindex, bool on);  // net.ipv4.conf.DEV.forwarding
Bytes set_proxy_arp(std::uint32_t sequence, int ifindex, bool on);   // net.ipv4.conf.DEV.proxy_arp
// Where `mask` is shorter than /32, the kernel routes the network to the device as soon as that is up.
Bytes add_address(std::uint32_t sequence, int ifindex, Ipv4 address, Ipv4Mask mask = Ipv4Mask());
// Of either family, by kProtocol, in the main table: to addresses on the link or, with `via`, which the host takes to
// be on the link, to those that are reached through it. For IPv6 with the kernel's metric for routes of user space,
// 1024. Fails with EEXIST where the table has a route to that very network, whatever its device; for IPv6, one of that
// metric.
Bytes add_route(std::uint32_t sequence, int ifindex, const IpRange& network, const std::optional<IpAddress>& via = {});
// Only a route by kProtocol that was added likewise; any other is passed over, and then this fails with ESRCH.
Bytes delete_route(std::uint32_t sequence, int ifindex, const IpRange& network,
                   const std::optional<IpAddress>& via = {});
Bytes add_proxy_entry(std::uint32_t sequence, int ifindex, Ipv4 address, std::uint8_t protocol);
Bytes delete_proxy_entry(std::uint32_t sequence, int ifindex, Ipv4 address);

// One message out of a received datagram.
struct Message {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  ByteSpan payload;
};

// Calls `each` for every message of the datagram in order, until it returns false. False where the datagram ends in the
// middle of a message.
bool for_each_message(ByteSpan datagram, const std::function<bool(const Message&)>& each);

// The error number of an NLMSG_ERROR message, 0 for an acknowledgement; that with which a dump was broken off, of the
// NLMSG_DONE at its end, 0 where it is whole (netlink_dump_done() in net/netlink/af_netlink.c). Nothing where the
// message is another or cut.
std::optional<int> error_of(const Message& message);

// The record in a message of the fitting type; nothing where the message is of another kind, of another address family,
// or cut.
std::optional<Link> link_of(const Message& message);
std::optional<Address> address_of(const Message& message);
std::optional<ProxyEntry> proxy_entry_of(const Message& message);
std::optional<Ipv4Settings> ipv4_settings_of(const Message& message);
std::optional<Ipv6Settings> ipv6_settings_of(const Message& message);

}  // namespace umlnet::rtnetlink
