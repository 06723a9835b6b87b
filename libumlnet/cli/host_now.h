// The kernel's network state as it is now, read by rtnetlink. Needs no privilege and changes nothing.
#pragma once

#include "libumlnet/core/error.h"
#include "policy/host_state.h"

namespace umlnet::cli {

Result<policy::HostState> read_host_now();

}  // namespace umlnet::cli
