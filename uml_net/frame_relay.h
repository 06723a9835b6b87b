// The relay of an ethertap session and of a sealed interface: Ethernet frames between a TAP and the guest's socket,
// until one of them ends. Each frame is read into the buffer where it is sent from; there is no copy but the system
// calls'.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "libumlnet/core/ethertap_frame.h"

namespace umlnet {

// Written by the relay, read by the controller, in memory that both share. Bytes are those of frames, without padding.
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

// What travels as one message of the socket.
struct FrameFormat {
  std::size_t padding;  // bytes before each frame, zero when sent and ignored on receipt
  std::size_t longest;  // bytes of a frame; a shorter one than an Ethernet header does not travel either
};
inline constexpr FrameFormat kEthertapFrames{ethertap::kPadding, ethertap::kLongestFrame};
inline constexpr FrameFormat kPlainFrames{0, 65535};  // whatever a TAP can have

// `tap` is an fd of a TAP device (IFF_NO_PI, no virtio-net header), O_NONBLOCK; `data` a connected AF_UNIX SOCK_DGRAM
// or SOCK_SEQPACKET socket; `controller` may be -1: nobody has to live for this. All are borrowed. A guest that does
// not read makes the relay leave frames in the TAP's queue, where the kernel drops what is too much, as with any full
// NIC ring; the other direction goes on. Makes no system call but poll, read and write on `tap`, and sendto and
// recvfrom on `data`. Needs no privilege.
RelayEnd relay_frames(int tap, int data, int controller, const FrameFormat& format, FrameCounters& counters);

}  // namespace umlnet
