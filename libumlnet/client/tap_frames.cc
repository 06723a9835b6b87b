#include "libumlnet/client/tap_frames.h"

#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "libumlnet/core/ethernet.h"

namespace umlnet::client {
namespace {

umlnet_code code_of(int error) {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM: return UMLNET_AGAIN;
    case EBADFD: return UMLNET_CLOSED;  // the device was deleted
    default: return UMLNET_SYSTEM;
  }
}

}  // namespace

umlnet_code read_tap_frame(int tap, std::span<unsigned char> room, std::size_t& size) {
  // A TAP cuts what is longer than the room, and says nothing: the byte behind it tells.
  unsigned char more = 0;
  const iovec parts[] = {{.iov_base = room.data(), .iov_len = room.size()}, {.iov_base = &more, .iov_len = 1}};
  ssize_t taken = -1;
  do {
    taken = ::readv(tap, parts, 2);
  } while (taken < 0 && errno == EINTR);
  if (taken < 0) return code_of(errno);
  size = static_cast<std::size_t>(taken);
  if (size < kEthernetHeader || size > room.size()) return UMLNET_PROTOCOL;
  return UMLNET_OK;
}

umlnet_code write_tap_frame(int tap, std::span<const unsigned char> frame) {
  if (frame.size() < kEthernetHeader) return UMLNET_PROTOCOL;
  ssize_t written = -1;
  do {
    written = ::write(tap, frame.data(), frame.size());
  } while (written < 0 && errno == EINTR);
  return written < 0 ? code_of(errno) : UMLNET_OK;
}

}  // namespace umlnet::client
