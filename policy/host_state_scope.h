// How much of the kernel's state a request needs. Reading all of it takes longer than making a device.
#pragma once

#include <cstdint>

#include "libumlnet/core/request.h"

namespace umlnet::policy {

enum class HostStateScope : std::uint8_t {
  links,           // and nothing else
  devices,         // links, and proxy entries; where one of those is this toolkit's, everything
  ipv4_addresses,  // those, and addresses and routes of IPv4
  addresses,       // those, and of IPv6
  everything,      // those, and settings
};

// What decide() and the plan for its grant look at, and what garbage there may be.
HostStateScope extent_of(const Request& request);

}  // namespace umlnet::policy
