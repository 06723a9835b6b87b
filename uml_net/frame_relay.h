// The relay of an ethertap session: Ethernet frames between a TAP and the guest's data socket, until one of them ends.
//
// The socket's datagrams are those of libumlnet/core/ethertap_frame.h. The TAP takes and gives frames unfinished, with
// a virtio-net header: what comes from the host is cut here, and the segments that a guest sends are joined
// (segmentation_offload.h, receive_coalescing.h), so that the host's network sees few large frames. A guest never
// notices. Frames are counted as it has them.
#pragma once

#include <atomic>
#include <cstdint>

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

// `tap` is an fd of a TAP device (IFF_NO_PI, IFF_VNET_HDR with 10 bytes), O_NONBLOCK; `data` a connected AF_UNIX
// SOCK_DGRAM socket. All are borrowed. A guest that does not read makes the relay leave frames in the TAP's queue,
// where the kernel drops what is too much, as with any full NIC ring; the other direction goes on. Makes no system call
// but poll, read and writev on `tap`, and sendto and recvfrom on `data`. Needs no privilege. For one session a process.
RelayEnd relay_frames(int tap, int data, int controller, FrameCounters& counters);

}  // namespace umlnet
