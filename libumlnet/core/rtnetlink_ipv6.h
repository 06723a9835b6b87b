// rtnetlink messages about IPv6 as bytes: a device's addresses, and a guest's route and proxy entry. As rtnetlink.h has
// them of IPv4.
#pragma once

#include <cstdint>
#include <optional>

#include "libumlnet/core/ipv6.h"
#include "libumlnet/core/rtnetlink.h"

namespace umlnet::rtnetlink {

struct Ipv6Address {
  int ifindex = 0;
  Ipv6 address;
  unsigned prefix_length = 0;
  bool link_local = false;
};
struct Ipv6ProxyEntry {
  int ifindex = 0;
  Ipv6 address;
  std::uint8_t protocol = 0;
};

// The device gets no link-local address when it comes up (IN6_ADDR_GEN_MODE_NONE), and so asks for no router. What a
// router advertises makes addresses all the same. Fails with EAFNOSUPPORT where the kernel or the device has no IPv6.
Bytes set_no_link_local_address(std::uint32_t sequence, int ifindex);

Bytes dump_ipv6_addresses(std::uint32_t sequence);
Bytes dump_ipv6_proxy_entries(std::uint32_t sequence);

// Usable at once: without duplicate address detection (IFA_F_NODAD), for which a device without a carrier would wait.
// Where `prefix_length` is below 128, the kernel routes the network to the device. Fails with EACCES where IPv6 is
// disabled on the device.
Bytes add_ipv6_address(std::uint32_t sequence, int ifindex, const Ipv6& address, unsigned prefix_length);
// The device answers neighbour solicitations for the address where its settings let it (Ipv6Settings).
Bytes add_ipv6_proxy_entry(std::uint32_t sequence, int ifindex, const Ipv6& address, std::uint8_t protocol);
Bytes delete_ipv6_proxy_entry(std::uint32_t sequence, int ifindex, const Ipv6& address);

std::optional<Ipv6Address> ipv6_address_of(const Message& message);
std::optional<Ipv6ProxyEntry> ipv6_proxy_entry_of(const Message& message);

}  // namespace umlnet::rtnetlink
