// The relay: Ethernet frames between a TAP and a socket, one a packet, until one of them ends. The kernel segments and
// checksums every frame before the TAP gives it, so the relay copies frames and looks at nothing but their length.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "libumlnet/core/ethertap_frame.h"

namespace umlnet {

// Written by the relay. A session's controller reads them, in memory that both share. Bytes are those of frames,
// without padding.
struct FrameCounters {
  using Count = std::atomic<std::uint64_t>;
  struct Direction {
    Count frames, bytes, too_long, too_short;
  };
  Direction to_guest, to_host;
  Count refused_by_host;  // frames that the TAP did not take: the device was down
  static_assert(Count::is_always_lock_free);
};

enum class RelayEnd : int {
  guest_gone = 0,       // the data socket was closed or shut down at the other end
  controller_gone = 1,  // `controller` became readable: it closed its end, or died
  device_gone = 2,      // the TAP was deleted
  failed = 3,
};

struct RelayFds {
  int tap;              // IFF_NO_PI, without virtio-net header; O_NONBLOCK
  int data;             // a connected AF_UNIX socket, SOCK_DGRAM or SOCK_SEQPACKET
  int controller = -1;  // of an ethertap session: a stream to its controller; -1: none
};

// A packet on the data socket: zero bytes of padding, then one frame.
struct PacketFormat {
  std::size_t padding, longest_frame;  // bytes
};
inline constexpr PacketFormat kEthertapPackets{ethertap::kPadding, ethertap::kLongestFrame};
inline constexpr PacketFormat kSealedPackets{0, 65535};

// Turns this process into a relay: closes all other fds, gives its own the numbers of a relay (fd_numbers.h), enters
// filters::kSessionRelay or kSealedRelay, waits for a byte on `controller` where there is one, and moves frames. Exit
// when it returns. A guest that does not read makes it leave frames in the TAP's queue, where the kernel drops what is
// too much, as with any full NIC ring; the other direction goes on. Needs no privilege, and is to have none.
RelayEnd become_relay(const RelayFds& fds, const PacketFormat& format, FrameCounters& counters);

}  // namespace umlnet
