// The kernel's network state as values, and the questions that policy asks of it. The kernel is the only database: who
// holds what is read from device aliases, TUN owners and protocol numbers.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/device_tag.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/ip_range.h"
#include "libumlnet/core/request.h"
#include "libumlnet/core/rtnetlink.h"
#include "libumlnet/core/rtnetlink_ipv6.h"
#include "libumlnet/core/rtnetlink_routes.h"

namespace umlnet::policy {

struct HostState {
  // Boot time (boot_time()) before the first of it was read. Zero: so old that no plan for it is carried out.
  std::chrono::nanoseconds read_at{};
  std::vector<rtnetlink::Link> links;
  std::vector<rtnetlink::Address> addresses;
  std::vector<rtnetlink::Route> routes;  // unicast, of every table, one for each next hop
  std::vector<rtnetlink::ProxyEntry> proxy_entries;
  std::vector<rtnetlink::Ipv6Address> ipv6_addresses;
  std::vector<rtnetlink::Ipv6Route> ipv6_routes;
  std::vector<rtnetlink::Ipv6ProxyEntry> ipv6_proxy_entries;
  rtnetlink::Ipv4Settings all;             // net.ipv4.conf.all
  rtnetlink::Ipv4Settings default_device;  // net.ipv4.conf.default: what a new device starts with
  rtnetlink::Ipv6Settings ipv6_all;        // net.ipv6.conf.all
  // Of the addresses that are asked for as a guest's (guests_of()): those that the host takes for its own, by a route
  // or as a broadcast, and those that a neighbour on one of on_link_devices() has.
  std::vector<IpAddress> local_addresses;
  std::vector<IpAddress> neighbours;

  const rtnetlink::Link* link(int ifindex) const;
  const rtnetlink::Link* link(std::string_view name) const;  // or an alternative name

  // How many TAPs of this toolkit `uid` has made and how many guest addresses are routed to them: what limits count.
  // By the alias alone: the holder of a TAP's fd can give the device to another uid, and must gain nothing by it.
  unsigned devices_of(uid_t uid) const;
  unsigned addresses_of(uid_t uid) const;
  // How many of those TAPs are ports of `bridge`.
  unsigned ports_of(uid_t uid, const IfName& bridge) const;

  // The route of this toolkit for one guest address, if there is one.
  const rtnetlink::Route* guest_route(Ipv4 address) const;
  const rtnetlink::Ipv6Route* guest_route(const Ipv6& address) const;
  bool has_guest_route(const IpAddress& address) const;
  // Of this toolkit's routes the most special one that leads to the address: that one, or one to a guest's network.
  const rtnetlink::Route* route_to_guest(Ipv4 address) const;
  const rtnetlink::Ipv6Route* route_to_guest(const Ipv6& address) const;

  // Why no guest of `uid`, who is not root, may take `address` for a device with index `ifindex`: it is the host's own,
  // a gateway's, a broadcast or network address, routed elsewhere, or in a network of another user's device. In words
  // that go on from "10.0.0.1 is ...".
  std::optional<std::string> address_in_use(const IpAddress& address, int ifindex, uid_t uid) const;

  // Why no guest of `uid`, who is not root, may have all of `network`, which is more than one address: something in it
  // is the host's own, a gateway's, a broadcast address or routed elsewhere, or it is in a network of another guest. It
  // may be part of a network that the host has on a LAN. In words that go on from "10.0.0.0/29 ...".
  std::optional<std::string> guest_network_in_use(const IpRange& network, uid_t uid) const;

  // Why the host's side of a device of `uid` can have no `address` in a network of more than one address: the network
  // would be reached through that device then, and part of it is reached elsewhere, or an address in it is on or routed
  // to another user's device. In words that go on from "10.0.0.0/24 ...".
  std::optional<std::string> network_in_use(const IpInterface& address, uid_t uid) const;

  // Why the host itself can have no `address` on a new device of `uid`: the kernel would take for its own what goes to
  // somebody's guest, or to a gateway. What the host has already it may have once more. In words that go on from
  // "10.0.0.1 is ...".
  std::optional<std::string> host_address_in_use(const IpAddress& address, uid_t uid) const;

  // Whether this toolkit made the device with that index for another uid.
  bool is_of_another(int ifindex, uid_t uid) const;
};

// The guest addresses that a request wants for a device of which the host knows the way to: all of a network of up to
// 32 IPv4 addresses, of a larger one and of IPv6 the first.
std::vector<IpAddress> guests_of(const Request& request);

// Where a neighbour could have the address: the devices, other than those of guests, to which a route leads without a
// gateway.
std::vector<int> on_link_devices(const HostState& host, const IpAddress& address);
// What a route leads to.
IpRange network_of(const rtnetlink::Route& route);
IpRange network_of(const rtnetlink::Ipv6Route& route);

// For whom this toolkit made the device, if it did: by its alias alone.
std::optional<uid_t> made_for(const rtnetlink::Link& link);

// Whose the device is, if this toolkit made it: a TAP whose alias bears our tag and whose TUN owner is the tag's.
std::optional<uid_t> maker_of(const rtnetlink::Link& link);

// Whether `uid` may delete the device: root, for whom it was made, and the user that owns it by its tag. Members of a
// group that owns it may not.
bool may_remove(const rtnetlink::Link& link, uid_t uid);

// A TAP of this toolkit that its last holder made persistent behind our back (TUNSETPERSIST on the fd) and then left.
// One that was asked for as persistent, and granted, is none.
bool is_abandoned(const rtnetlink::Link& link);

// A proxy entry of this toolkit whose guest address is routed to no device of it any more.
bool is_stale(const HostState& host, const rtnetlink::ProxyEntry& entry);
bool is_stale(const HostState& host, const rtnetlink::Ipv6ProxyEntry& entry);

// Whether anything is amiss that a garbage collection puts right: what guests that are gone left behind, and what one
// that is there lacks.
bool has_garbage(const HostState& host);

}  // namespace umlnet::policy
