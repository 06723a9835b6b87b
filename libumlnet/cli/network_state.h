// The kernel's network state, read by rtnetlink. Needs no privilege, and changes nothing.
#pragma once

#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/rtnetlink_ipv6.h"
#include "policy/host_state.h"

namespace umlnet::cli {

// Of the network namespace of this process: devices with statistics, addresses, routes and proxy entries, without the
// settings; and what the kernel says of each of the addresses, which are asked for as guests'.
Outcome<policy::HostState> read_network_state(const std::vector<IpAddress>& guests = {});

}  // namespace umlnet::cli
