// What a granted device lets its guest send. Pure.
#pragma once

#include "libumlnet/core/anti_spoof.h"
#include "libumlnet/core/error.h"
#include "libumlnet/core/host_guard.h"
#include "libumlnet/core/request.h"
#include "policy/decide.h"
#include "policy/host_state.h"

namespace umlnet::policy {

// IPv6 where the request names an address of it, and on a bridge: its other ports may speak IPv6, and the rule of each
// decides.
GuestProtocols granted_protocols(const OpenInterface& request);

// What the anti-spoofing filter lets the guest send. Others' link-local addresses are those of the host on the bridge,
// and the gateways of its routes there; Code::conflict where they are too many for a filter. Router advertisements only
// on a bridge.
Result<GuestSources> guest_sources(const OpenInterface& request, const Grant& grant, const HostState& host);

}  // namespace umlnet::policy
