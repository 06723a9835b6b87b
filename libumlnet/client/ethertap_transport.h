// The transport ethertap: uml_net keeps the TAP, and the guest has a datagram socket to it.
#pragma once

#include "libumlnet/client/transport.h"

namespace umlnet::client {

TransportKind ethertap_transport();

}  // namespace umlnet::client
