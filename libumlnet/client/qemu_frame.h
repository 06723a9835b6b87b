// The frames of QEMU's network sockets: Ethernet frames as they are. `-netdev dgram` and `-netdev socket,udp=` send one
// in each datagram, with nothing around it; `-netdev stream` and the other kinds of `-netdev socket` put a length
// before each (qemu_stream.h).
//
// QEMU's buffer for one frame is NET_BUFSIZE (include/net/net.h), the longest frame with segmentation offload and room
// for its headers: what is longer ends a stream, and is cut from a datagram without a word. An empty datagram is taken
// for the end of the connection: never send one.
#pragma once

#include <cstddef>

#include "libumlnet/core/ethernet.h"

namespace umlnet {

inline constexpr std::size_t kQemuShortestFrame = kEthernetHeader;  // bytes
inline constexpr std::size_t kQemuLongestFrame = 4096 + 65536;      // bytes

}  // namespace umlnet
