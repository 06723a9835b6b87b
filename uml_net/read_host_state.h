// The kernel's network state, read by rtnetlink. Needs no privilege.
#pragma once

#include "libumlnet/core/error.h"
#include "policy/host_state.h"
#include "uml_net/priv/rtnetlink_socket.h"

namespace umlnet {

Result<policy::HostState> read_host_state(priv::RtnetlinkSocket& socket);

}  // namespace umlnet
