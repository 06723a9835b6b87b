// The closed list of changes that the program can make to a host: what the privileged side can be asked to do.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libumlnet/core/anti_spoof.h"
#include "libumlnet/core/device_tag.h"
#include "libumlnet/core/host_guard.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/mac_address.h"

namespace umlnet::priv {

// A device on the host. Index 0 is the TAP that the first change of the same plan makes.
struct Device {
  int ifindex = 0;
  std::string name;
};

struct MakeTapDevice {  // gone again with its fds
  DeviceOwner owner;
  DeviceTag tag;                              // for the alias; when, is known once it is made
  std::optional<IfName> name = std::nullopt;  // none: the kernel chooses one
  bool virtio_headers = false;                // whether each frame of its fds begins with a virtio-net header
  unsigned queues = 1;                        // one fd each
  std::uint32_t group = 0;                    // the link group of the session that it belongs to; 0: none
  // What the host takes from it, in force before anything else is done: host_guard_program(). None for a device that
  // becomes a port of a bridge, or of which PutAntiSpoof, which has the same guarantees, says so next.
  std::optional<GuestProtocols> guard = GuestProtocols::ipv4;
};
struct PutHostAddress {
  Device device;
  IpInterface address;
};
struct SetLinkUp {
  Device device;
};
struct SetMtu {
  Device device;
  unsigned mtu;
};
// The first byte of the new TAP's MAC address becomes 0xFE. A bridge without a MAC address of its own takes the lowest
// among its ports, and is to keep the one it has.
struct SetMacPrefixFe {
  Device device;
};
struct SetMac {
  Device device;
  MacAddress mac;
};
struct SetMaster {
  Device device;
  Device bridge;
};
// The bridge passes no frame between this port and other isolated ones.
struct IsolatePort {
  Device device;
};
// From here on the host takes no frame of the guest's but with these as its source, and none of other protocols.
struct PutAntiSpoof {
  Device device;
  GuestSources sources;
};
// It outlives its fds.
struct MakePersistent {
  Device device;
  bool on = true;
};
struct AddRoute {
  Device device;
  IpRange network;
  std::optional<IpAddress> via = std::nullopt;  // the guest that routes it; none: its addresses are on the link
};
struct DeleteRoute {
  Device device;
  IpRange network;
  std::optional<IpAddress> via = std::nullopt;
};
struct AddProxyNeigh {
  Device lan;
  IpAddress address;
  bool forwarding_is_ours;  // forwarding on `lan` is off but for this toolkit, and goes off with its last entry there
};
struct DelProxyNeigh {
  Device lan;
  IpAddress address;
  bool forwarding_is_ours;
};
struct SetProxyArp {
  Device device;
  bool on;
};
struct SetForwarding {
  Device device;
  bool on;
};
struct DeleteTapDevice {
  Device device;
  bool abandoned;  // nobody holds it any more
};

// What the device should have, for a later request that finds it missing (device_marks.h). No line of the audit log.
struct SetMark {
  Device device;
  std::string name;
  bool on;
};
// All devices of one link group, at the end of the session that made them.
struct DeleteSessionDevices {
  std::uint32_t group;
};

using Change = std::variant<MakeTapDevice, PutHostAddress, SetLinkUp, SetMtu, SetMac, SetMacPrefixFe, SetMaster,
                            IsolatePort, PutAntiSpoof, MakePersistent, AddRoute, DeleteRoute, AddProxyNeigh,
                            DelProxyNeigh, SetProxyArp, SetForwarding, DeleteTapDevice, SetMark, DeleteSessionDevices>;

// What the change was, for the audit log ("10.50.0.7 published on eth0"; nothing for a mark), and what was being tried
// where it failed
// ("publish 10.50.0.7 on eth0"). `new_tap` stands for the device with index 0.
std::string done_in_words(const Change& change, const std::string& new_tap);
std::string doing_in_words(const Change& change, const std::string& new_tap);

// The change that takes it back. None for what goes with the new TAP's fd anyway, and for what cannot come back.
std::optional<Change> inverse(const Change& change);

}  // namespace umlnet::priv
