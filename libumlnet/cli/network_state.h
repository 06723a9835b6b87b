// The kernel's network state, read by rtnetlink. Needs no privilege, and changes nothing.
#pragma once

#include <vector>

#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/rtnetlink_ipv6.h"
#include "policy/host_state.h"

namespace umlnet::cli {

struct NetworkState {
  policy::HostState ipv4;  // and the devices, with statistics; without the settings
  std::vector<rtnetlink::Ipv6Address> ipv6_addresses;
  std::vector<rtnetlink::Ipv6Route> ipv6_routes;
  std::vector<rtnetlink::Ipv6ProxyEntry> ipv6_proxy_entries;
};

// Of the network namespace of this process.
Outcome<NetworkState> read_network_state();

}  // namespace umlnet::cli
