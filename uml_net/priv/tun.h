// The TUN/TAP driver's ioctls (linux/if_tun.h).
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>

#include "libumlnet/core/error.h"
#include "libumlnet/core/ifname.h"

namespace umlnet::priv {

// Every ioctl that attach_new_tap() makes: what the seccomp filter lets through.
extern const std::array<unsigned long, 3> kTunRequests;

// What an fd of a TAP gives and takes.
enum class TapFrames : std::uint8_t {
  bare,       // frames
  headed,     // a virtio-net header before each, which asks for nothing
  unfinished  // the same, and with checksums and TCP segmentation left to whoever reads (TUNSETOFFLOAD)
};

// Makes a TAP device called `name`, or with a name of the kernel's choice ("tap0", ...), and ties it to `tun`, an fd
// open on /dev/net/tun: IFF_TAP | IFF_NO_PI, but for `bare` frames also IFF_VNET_HDR, one queue, and `owner` as its TUN
// owner. The device goes with the last copy of the fd. A name in use is EBUSY, whatever uses it: the call never ties
// `tun` to a device that is there. Needs CAP_NET_ADMIN in effect, in the user namespace that owns the network namespace
// `tun` was opened in.
Result<IfName> attach_new_tap(int tun, uid_t owner, const std::optional<IfName>& name, TapFrames frames);

}  // namespace umlnet::priv
