// The transport tuntap: a TAP device whose fd the guest has. Without a device name uml_net makes it; with one it is
// there already, and uml_net is not called, for addresses neither.
#pragma once

#include "libumlnet/client/transport.h"

namespace umlnet::client {

TransportKind tuntap_transport();

}  // namespace umlnet::client
