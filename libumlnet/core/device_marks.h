// What a device of this toolkit should have, written where no flush of addresses, routes or neighbours takes it: in
// alternative names of the device (IFLA_ALT_IFNAME, ip-link(8) "property"), which go with the device and with nothing
// else. ip(8) shows them; nobody needs to know them.
//
//   umlnet:guest:P:F:LAN...:GUEST[,VIA]  on a guest's device: GUEST, an address or a network, is routed there (by way
//   of
//                                  the guest VIA), published on the first P LANs, and forwarded from the F after them
//   umlnet:host:LENGTH:ID:ADDRESS  on a guest's device, made by the request ID: the host has ADDRESS/LENGTH there
//   (IPv6, which a device that goes
//                                  down loses)
//   umlnet:forwarding:IFINDEX      on a LAN device: its IPv4 forwarding is this toolkit's to turn off
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/ip_range.h"

namespace umlnet {

struct GuestMark {
  IpRange guest;
  std::vector<std::string> published_on = {};
  std::vector<std::string> forwarded_from = {};  // besides those
  std::optional<IpAddress> via = {};             // the guest that routes the network
};

// As names: several where the LANs do not fit into one, which has 127 bytes at most (ALTIFNAMSIZ of linux/if.h).
std::vector<std::string> names_of(const GuestMark& mark);
// `id` makes it the device's own: another may have the same address. It has no colon.
std::string name_of_host_address(const IpInterface& address, std::string_view id);
std::string name_of_forwarding(int ifindex);

// Whether an alternative name is a mark, and so no name that anybody calls the device by.
bool is_mark(std::string_view name);

// All of a device's marks. Names that are none are passed over.
struct DeviceMarks {
  std::vector<GuestMark> guests;  // each address or network once
  std::vector<IpInterface> host_addresses;
  bool forwarding = false;
};
DeviceMarks marks_of(int ifindex, std::span<const std::string> alternative_names);

// The guest that the mark `name` is about; nothing where it is no such mark.
std::optional<IpRange> guest_of_mark(std::string_view name);

}  // namespace umlnet
