// The closed list of what a caller can ask for. Every protocol turns its own words into one of these.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ipv4.h"

namespace umlnet {

// A TAP device named by the kernel, up, with `gateway`/32 as the host's address on it where one is given. It lives as
// long as somebody holds its fd.
struct MakeTap {
  std::optional<Ipv4> gateway;
};

// A TAP device of that name for the ethertap transport, with `gateway`/32 on the host's side where one is given. The
// helper keeps its fd and moves the frames; the device lives as long as the session.
struct OpenEthertap {
  IfName device;
  std::optional<Ipv4> gateway;
};

// A TAP device named by the kernel, up, as a port of `bridge`, with no address of its own. Where it has virtio-net
// headers each frame of its fd begins with one. It lives as long as somebody holds its fd.
struct MakeBridgedTap {
  IfName bridge;
  bool virtio_headers;
};

// The host is to reach the guest's `address` through `device`, and so are the LANs in whose subnet it lies under
// `netmask`.
struct AddAddress {
  IfName device;
  Ipv4 address;
  Ipv4Mask netmask;
};

// AddAddress taken back.
struct DeleteAddress {
  IfName device;
  Ipv4 address;
  Ipv4Mask netmask;
};

// What guests that are gone left behind is removed.
struct CollectGarbage {};

using Request = std::variant<MakeTap, OpenEthertap, MakeBridgedTap, AddAddress, DeleteAddress, CollectGarbage>;

// The operations that policy speaks of (`operations` in a rule), and `gc`, which needs no rule.
enum class Operation { tuntap, ethertap, address, bridge, open, gc };

std::string_view operation_name(Operation operation);
Operation operation_of(const Request& request);

// What the audit log calls the request: the operation, but `add` and `del` for the two kinds of address change.
std::string_view request_name(const Request& request);

}  // namespace umlnet
