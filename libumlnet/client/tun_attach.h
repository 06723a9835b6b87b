// Attaching to a TAP device that is there already: the transport with a fixed device name.
#pragma once

#include "libumlnet/client/failure.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::client {

// An fd of the persistent TAP device `device`, O_NONBLOCK, without virtio-net header where `vnet_hdr` is 0, else with
// one of 10 or 12 bytes. The device must belong to the caller (TUNSETOWNER, TUNSETGROUP) and be in nobody else's hands;
// no device is ever made. Needs write access to /dev/net/tun. UMLNET_REFUSED with errno and what to do about it.
Outcome<unique_fd> attach_tap(const IfName& device, unsigned vnet_hdr);

// Lets the device behind `tap`, an fd of one with a virtio-net header, leave checksums and segmentation to whoever
// reads from it (TUNSETOFFLOAD), as far as the kernel can. Where it cannot, frames come finished. Needs no privilege.
void take_unfinished_frames(int tap);

}  // namespace umlnet::client
