// TAP devices, by the ioctls of /dev/net/tun (linux/if_tun.h, Documentation/networking/tuntap.rst).
#pragma once

#include <sys/types.h>

#include <optional>

#include "libumlnet/core/error.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/mac_address.h"
#include "libumlnet/core/request.h"

namespace umlnet::priv {

// Whether `fd` is open on the kernel's TUN driver: the character device 10:200 (Documentation/admin-guide/devices.txt).
// To be asked before any of the ioctls below, which another driver could answer in its own way. False with errno where
// fstat(2) fails.
bool is_tun_device(int fd);

struct TapKind {
  bool virtio_headers = false;  // before each frame of its fds
  bool several_queues = false;
};

// Makes a TAP device called `name`, or with a name of the kernel's choice ("tap0", ...), and ties it to `tun`, an fd
// open on /dev/net/tun: IFF_TAP | IFF_NO_PI, with `virtio_headers` also IFF_VNET_HDR, with `several_queues` also
// IFF_MULTI_QUEUE, and `owner` as its TUN owner or group. The device goes with the last copy of its fds. A name in use
// is EBUSY, whatever uses it: the call never ties `tun` to a device that is there. Needs CAP_NET_ADMIN in effect, in
// the user namespace that owns the network namespace `tun` was opened in.
Result<IfName> attach_new_tap(int tun, const DeviceOwner& owner, const std::optional<IfName>& name,
                              const TapKind& kind);

// Ties `tun` to the device `name` as one queue more. The device was made by attach_new_tap() with `several_queues` and
// the same kind, in the network namespace that `tun` was opened in. Needs CAP_NET_ADMIN in effect, as above.
Result<void> attach_queue(int tun, const IfName& name, const TapKind& kind);

// The MAC address of the device that `tun` is tied to, whatever its name is by now. Needs no privilege.
Result<MacAddress> mac_of_tap(int tun);

// Whether the device that `tun` is tied to outlives its fds (TUNSETPERSIST). Needs no privilege.
Result<void> set_persistent(int tun, bool on);

}  // namespace umlnet::priv
