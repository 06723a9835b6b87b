// The Ethernet frame by which a host says that an address is reached by way of it from now on. Every machine on the
// link gets it, and one that knew the address by another MAC address learns the new one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/mac_address.h"

namespace umlnet {

// Without padding and frame check sequence.
struct AnnouncementFrame {
  std::array<std::uint8_t, 86> bytes{};  // Ethernet, IPv6 and a neighbour advertisement with one option
  std::size_t size = 0;
};

// IPv4: an ARP announcement (RFC 5227, 1.1 and 3; RFC 826), a gratuitous request for the address itself. IPv6: an
// unsolicited neighbour advertisement to all nodes (RFC 4861, 4.4 and 7.2.6), with the override flag, which a proxy
// sets where nobody else answers for the address (RFC 6275, 10.4.1).
AnnouncementFrame announcement_of(const IpAddress& address, const MacAddress& mac);

}  // namespace umlnet
