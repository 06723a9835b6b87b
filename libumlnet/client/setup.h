// Setup strings: TRANSPORT[,DEV[,MAC[,GATE]]], as on the command line of User-Mode Linux.
#pragma once

#include <string_view>

#include "libumlnet/client/transport.h"

namespace umlnet::client {

// UMLNET_INVALID, in words for a person, where `text` is none. Transports are those of the registry.
Outcome<Setup> parse_setup(std::string_view text);

}  // namespace umlnet::client
