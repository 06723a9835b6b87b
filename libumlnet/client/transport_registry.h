// The transports that setup strings can name: tuntap, ethertap, and those that the host program adds. They stay until
// the process ends, so that a pointer to one is good for ever. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "libumlnet/client/transport.h"

namespace umlnet::client {

// Null where there is none.
const TransportKind* find_transport(std::string_view name);
const TransportKind* transport_number(std::size_t index);

// UMLNET_STATE where the name is taken.
Outcome<void> add_transport(TransportKind kind);

}  // namespace umlnet::client
