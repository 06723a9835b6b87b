// Frames from and to the fd of a TAP (IFF_TAP | IFF_NO_PI, no virtio-net header, O_NONBLOCK): one a read or write.
#pragma once

#include <cstddef>
#include <span>

#include "umlnet/umlnet.h"

namespace umlnet::client {

umlnet_code read_tap_frame(int tap, std::span<unsigned char> room, std::size_t& size);
umlnet_code write_tap_frame(int tap, std::span<const unsigned char> frame);

}  // namespace umlnet::client
