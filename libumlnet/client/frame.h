// Ethernet frames on their way through a pump.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "libumlnet/client/qemu_frame.h"
#include "libumlnet/client/virtio_net_header.h"
#include "libumlnet/core/ethernet.h"

namespace umlnet::client {

inline constexpr std::size_t kBurst = 64;  // frames one way, before the other way gets its turn

// Bytes, without what an end puts around a frame. The longest is QEMU's; a TAP with segmentation offload gives 65,535
// bytes of IP with Ethernet header and VLAN tags, which is less.
inline constexpr std::size_t kShortestFrame = kEthernetHeader;
inline constexpr std::size_t kLongestFrame = kQemuLongestFrame;

// The most that an end puts before a frame: 4 bytes of length and 12 of virtio-net header.
inline constexpr std::size_t kLongestPrefix = 16;

// One frame, in the buffer of the end that it was read from, until that end is read from again.
//
// The end that it goes to writes its own prefix before it, in place. kLongestPrefix bytes are always there for that.
// Only the last `room` of them belong to this frame; the others may be the end of the frame before it in the same
// batch, and are free as soon as that one is written.
struct Frame {
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  std::size_t room = 0;
  VirtioNetHeader offload = {};  // what is left unfinished; nothing where the end has no such header
  // The payload of so many frames behind it in the batch belongs to it as well: all but their first `headers` bytes
  // (receive_coalescing.h). They are written together, or wait together.
  std::uint16_t joined = 0;
  std::uint16_t headers = 0;

  std::span<std::uint8_t> bytes() const { return {data, size}; }
};

struct FrameBatch {
  std::array<Frame, kBurst> frames;
  std::size_t count = 0;

  void clear() { count = 0; }
  void add(const Frame& frame) { frames[count++] = frame; }
};

}  // namespace umlnet::client
