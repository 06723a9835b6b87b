// The kernel's network state, read by rtnetlink. Needs no privilege.
#pragma once

#include "libumlnet/core/error.h"
#include "libumlnet/core/request.h"
#include "policy/host_state.h"
#include "policy/host_state_scope.h"
#include "uml_net/priv/rtnetlink_socket.h"

namespace umlnet {

// So much of it as `extent` says; the rest stays empty.
Result<policy::HostState> read_host_state(priv::RtnetlinkSocket& socket, policy::HostStateScope extent);

// So much of it as the request needs, and what the kernel says of each guest address in it.
Result<policy::HostState> read_host_state(priv::RtnetlinkSocket& socket, const Request& request);

// How many frames the full queue of device `name` has cost; 0 where the device is gone.
std::uint64_t read_tx_dropped(priv::RtnetlinkSocket& socket, const std::string& name);

}  // namespace umlnet
