// The closed list of what a caller can ask for. Every protocol turns its own words into one of these.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/mac_address.h"

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

// Who may attach to a persistent TAP by its name: a user, or the members of a group.
struct DeviceOwner {
  enum class Kind : std::uint8_t { user, group } kind = Kind::user;
  id_t id = 0;

  // As chown(1) has it, in numbers: "1001", ":1001" for a group.
  static std::optional<DeviceOwner> parse(std::string_view text);
  std::string str() const;

  bool operator==(const DeviceOwner&) const = default;
};

// A TAP device with all that the native protocol can ask for. It lives as long as somebody holds one of its fds, and
// within a session no longer than that, unless it is persistent.
struct OpenInterface {
  std::optional<IfName> device = {};        // none: the kernel chooses the name
  std::vector<IpInterface> addresses = {};  // of the host, on the device
  // Addresses, and networks behind a guest that is a router: routed to the device and published, but on a bridge.
  std::vector<IpRange> guests = {};
  std::vector<MacAddress> guest_macs = {};  // several: a guest with guests of its own
  std::optional<IfName> bridge = {};
  bool isolated = false;                  // the bridge passes no frame between this port and other isolated ones
  std::optional<unsigned> mtu = {};       // none: 1500, or the bridge's
  std::optional<MacAddress> mac = {};     // of the host's side; none: of the kernel's choice
  unsigned queues = 1;                    // one fd each
  bool virtio_headers = false;            // whether each frame of an fd begins with a virtio-net header
  std::optional<int> netns = {};          // the caller's number for the network namespace's descriptor
  bool persistent = false;                // outlives its fds
  std::optional<DeviceOwner> owner = {};  // none: the caller
  bool sealed = false;                    // the caller gets a socket for frames, and no fd of the device
  bool anti_spoof = false;                // only `guest_macs` and `guests` may be the source of what the guest sends
};

// A device that was made for the caller's uid is deleted, whoever holds its fds.
struct RemoveInterface {
  IfName device;
};

// The helper stays, and takes requests until its caller closes the socket.
struct OpenSession {
  bool events = false;  // the caller is sent events besides answers
};

// What guests that are gone left behind is removed.
struct CollectGarbage {};

using Request = std::variant<MakeTap, OpenEthertap, MakeBridgedTap, AddAddress, DeleteAddress, OpenInterface,
                             RemoveInterface, OpenSession, CollectGarbage>;

// The operations that policy speaks of (`operations` in a rule), and `gc`, which needs no rule.
enum class Operation { tuntap, ethertap, address, bridge, open, gc };

std::string_view operation_name(Operation operation);

// What holds for each request of a kind, whatever it asks for. The one list: a kind without a row does not compile.
struct RequestTraits {
  std::string_view name;  // what the audit log calls it
  Operation operation;    // what policy calls it
  bool makes_device;      // and ties a descriptor on /dev/net/tun to it
  bool needs_rule;        // anybody may remove what is his own or nobody's
  bool is_undone;         // where the caller does not take the answer; what was removed stays removed
};
template <class Kind>
struct TraitsOf;
// clang-format off
template <> struct TraitsOf<MakeTap> { static constexpr RequestTraits value{"tuntap", Operation::tuntap, true, true, true}; };
template <> struct TraitsOf<OpenEthertap> { static constexpr RequestTraits value{"ethertap", Operation::ethertap, true, true, true}; };
template <> struct TraitsOf<MakeBridgedTap> { static constexpr RequestTraits value{"bridge", Operation::bridge, true, true, true}; };
template <> struct TraitsOf<AddAddress> { static constexpr RequestTraits value{"add", Operation::address, false, true, true}; };
template <> struct TraitsOf<DeleteAddress> { static constexpr RequestTraits value{"del", Operation::address, false, true, false}; };
template <> struct TraitsOf<OpenInterface> { static constexpr RequestTraits value{"open", Operation::open, true, true, true}; };
template <> struct TraitsOf<RemoveInterface> { static constexpr RequestTraits value{"remove", Operation::open, false, false, false}; };
template <> struct TraitsOf<OpenSession> { static constexpr RequestTraits value{"session", Operation::open, false, true, true}; };
template <> struct TraitsOf<CollectGarbage> { static constexpr RequestTraits value{"gc", Operation::gc, false, false, false}; };
// clang-format on

inline const RequestTraits& traits_of(const Request& request) {
  return std::visit([]<class Kind>(const Kind&) -> const RequestTraits& { return TraitsOf<Kind>::value; }, request);
}

// For std::visit with a function for each kind: one that is missing does not compile.
template <class... Functions>
struct ForEachKind : Functions... {
  using Functions::operator()...;
};

inline Operation operation_of(const Request& request) { return traits_of(request).operation; }
// What the audit log calls the request: the operation, but `add` and `del` for the two kinds of address change, and
// `remove` and `session` for what is asked for within `open`.
inline std::string_view request_name(const Request& request) { return traits_of(request).name; }

}  // namespace umlnet
