// The host's state as it would be without what a request made there: for looking once more at whether it is granted.
#pragma once

#include "libumlnet/core/ip_address.h"
#include "policy/host_state.h"

namespace umlnet::policy {

// Takes out the device `ifindex`, its addresses, what is routed to it, and what publishes its guests.
void forget_device(HostState& host, int ifindex);

// Takes out this toolkit's route for `guest` to the device `ifindex`, and what publishes it.
void forget_guest(HostState& host, Ipv4 guest, int ifindex);

}  // namespace umlnet::policy
