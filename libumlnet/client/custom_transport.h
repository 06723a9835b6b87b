// A transport of the host program's own, behind the C ABI.
#pragma once

#include "libumlnet/client/transport.h"

namespace umlnet::client {

// UMLNET_INVALID: no such name, or one of the functions that must be there is not.
Outcome<TransportKind> custom_transport(const umlnet_transport* transport);

}  // namespace umlnet::client
