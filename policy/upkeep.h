// What this toolkit's devices should have by their marks (device_marks.h), and lack: routes that went when a device was
// down, proxy entries that went with a LAN's last address, forwarding that a new LAN device does not have yet. And what
// stays on although nobody needs it.
#pragma once

#include <optional>
#include <vector>

#include "libumlnet/core/device_marks.h"
#include "policy/host_state.h"

namespace umlnet::policy {

struct Upkeep {
  struct Route {
    int ifindex;
    IpRange network;
    std::optional<IpAddress> via;
  };
  struct Publication {
    int lan;
    IpAddress address;
  };
  struct HostAddress {
    int ifindex;
    IpInterface address;
  };
  std::vector<Route> routes;
  std::vector<HostAddress> host_addresses;
  std::vector<Publication> publications;
  std::vector<int> forwarding;          // devices that do not forward IPv4, for guests that need it
  std::vector<int> forwarding_in_vain;  // LAN devices whose forwarding is this toolkit's, and no guest needs it
  bool empty() const;
};

// Of devices that are up, on LANs that are up and have an address of the family. What is by now somebody else's (an
// address that is routed to another device) is not missing.
Upkeep upkeep_of(const HostState& host);

// The addresses of a guest that are published one by one, as the kernel has no proxy for a network. None for a network
// that is too large for that, and for one of IPv6.
std::vector<IpAddress> published_addresses(const IpRange& guest);

// Whether a device other than `besides` has a guest that needs IPv4 forwarding on the LAN device: by its marks, or by
// what publishes an address that is not in one of the networks `without`.
bool is_forwarding_needed(const HostState& host, const rtnetlink::Link& lan, int besides,
                          const std::vector<IpRange>& without);

// Whether a device that is there has a mark for a guest that is published at `address`.
bool is_marked(const HostState& host, const IpAddress& address);

// Whether a device that was made for another uid has a mark for a guest in `range`.
bool is_marked_for_another(const HostState& host, const IpRange& range, uid_t uid);

// How many addresses of guests the device has marks for, but no route of this toolkit: they count all the same.
unsigned unrouted_guests(const HostState& host, const rtnetlink::Link& device);

// Whether a device other than `ifindex` has a mark for a guest in `range`, whether or not that is routed now.
bool is_marked_elsewhere(const HostState& host, const IpRange& range, int ifindex);

}  // namespace umlnet::policy
