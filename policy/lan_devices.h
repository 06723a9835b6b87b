// On which of the host's devices a guest's address belongs to a LAN, so that it may be published there.
#pragma once

#include <string_view>
#include <vector>

#include "libumlnet/core/ip_address.h"
#include "policy/host_state.h"
#include "policy/policy.h"

namespace umlnet::policy {

// The LAN devices in whose subnet a guest's `address` lies under `netmask`: those with a route, in the main table, to a
// network that is the address's own once both are cut by the netmask. Loopback and the devices that this toolkit made
// are not among them: a guest is no LAN of another.
std::vector<const rtnetlink::Link*> lans_of(const HostState& host, Ipv4 address, Ipv4Mask netmask);

// The same for a caller who names no netmask: the devices with a route, in the main table and not the default one, to a
// network that holds the guest's address, or all of its network.
std::vector<const rtnetlink::Link*> lans_for(const HostState& host, const IpRange& guest);

// Whether a rule that allows something publishes guests on a device of that name.
bool is_lan_of_any(const Policy& policy, std::string_view name);

}  // namespace umlnet::policy
