// What a request adds to what its caller holds, in the units that limits count.
#pragma once

#include <optional>

#include "libumlnet/core/request.h"

namespace umlnet::policy {

struct Demand {
  unsigned devices = 0;
  unsigned addresses = 0;             // of guests, routed to a device; of a network as address_count() says
  std::optional<IfName> bridge = {};  // whose port the device becomes
};

// How many addresses a guest's network counts for: for IPv4 all that are in it, and for IPv6, whose networks are as
// long as they are, one.
unsigned address_count(const IpRange& guest);

// Without a look at the host: an address that is routed already adds nothing.
Demand demand_of(const Request& request);

}  // namespace umlnet::policy
