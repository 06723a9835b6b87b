// The relay of a sealed interface: Ethernet frames between a TAP and its caller's socket, one a packet, until one of
// them ends.
#pragma once

#include "libumlnet/core/seccomp_filter.h"

namespace umlnet {

// `tap` is an fd of a TAP device (IFF_NO_PI, no virtio-net header), `data` one end of an AF_UNIX SOCK_SEQPACKET socket
// pair; both are borrowed and O_NONBLOCK. Returns when the other end of `data` is closed or the device is gone. A
// caller that does not read makes the relay leave frames in the TAP's queue, where the kernel drops what is too much,
// as with any full NIC ring; the other direction goes on. Needs no privilege.
void relay_sealed(int tap, int data);

// Every system call that relay_sealed() makes: poll on two fds; read and write on `tap`; sendto and recvfrom on `data`;
// and exit.
SeccompFilter sealed_relay_filter(int tap, int data);

}  // namespace umlnet
