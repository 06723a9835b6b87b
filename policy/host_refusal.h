// What no rule can grant, because the host forbids it.
#pragma once

#include <optional>

#include "libumlnet/core/error.h"
#include "libumlnet/core/request.h"
#include "policy/caller.h"
#include "policy/host_state.h"

namespace umlnet::policy {

// Why the request cannot be carried out on this host, whatever policy grants: somebody else's device, a name in use, a
// bridge that is none, an address that is nobody's or would take traffic from somebody. Root may take what is in use.
// To be asked only once policy has granted the request: before, a caller would learn what there is on the host.
std::optional<Error> host_refusal(const Caller& caller, const Request& request, const HostState& host);

}  // namespace umlnet::policy
