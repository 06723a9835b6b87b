// The closed list of changes that the program can make to a host: what the privileged side can be asked to do.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <variant>

#include "libumlnet/core/device_tag.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ipv4.h"

namespace umlnet::priv {

// A device on the host. Index 0 is the TAP that the first change of the same plan makes.
struct Device {
  int ifindex = 0;
  std::string name;
};

struct MakeTapDevice {  // gone again with its fd
  uid_t owner;
  DeviceTag tag;                              // for the alias; when, is known once it is made
  std::optional<IfName> name = std::nullopt;  // none: the kernel chooses one
  bool virtio_headers = false;                // whether each frame of its fd begins with a virtio-net header
  bool relayed = false;                       // as well, for a relay that finishes what the kernel leaves unfinished
};
struct PutHostAddress {
  Device device;
  Ipv4 address;
};
struct BringUp {
  Device device;
};
struct SetMtu {
  Device device;
  unsigned mtu;
};
// The first byte of the new TAP's MAC address becomes 0xFE. A bridge without a MAC address of its own takes the lowest
// among its ports, and is to keep the one it has.
struct RaiseMac {
  Device device;
};
struct PutOnBridge {
  Device device;
  Device bridge;
};
struct AddRoute {
  Device device;
  Ipv4 address;
};
struct DeleteRoute {
  Device device;
  Ipv4 address;
};
struct Publish {
  Device lan;
  Ipv4 address;
  bool forwarding_is_ours;  // forwarding on `lan` is off but for this toolkit, and goes off with its last entry there
};
struct Withdraw {
  Device lan;
  Ipv4 address;
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
};

using Change = std::variant<MakeTapDevice, PutHostAddress, BringUp, SetMtu, RaiseMac, PutOnBridge, AddRoute,
                            DeleteRoute, Publish, Withdraw, SetProxyArp, SetForwarding, DeleteTapDevice>;

// What the change was, for the audit log ("10.50.0.7 published on eth0"), and what was being tried where it failed
// ("publish 10.50.0.7 on eth0"). `new_tap` stands for the device with index 0.
std::string done_in_words(const Change& change, const std::string& new_tap);
std::string doing_in_words(const Change& change, const std::string& new_tap);

// The change that takes it back. None for what goes with the new TAP's fd anyway, and for what cannot come back.
std::optional<Change> inverse(const Change& change);

}  // namespace umlnet::priv
