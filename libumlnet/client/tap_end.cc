#include "libumlnet/client/tap_end.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace umlnet::client {
namespace {

// A burst of ordinary frames, and one of the longest besides.
constexpr std::size_t kArena = std::size_t{256} * 1024;

// The queue's fd is no longer tied to a device.
bool is_gone(int error) { return error == EBADFD || error == ENODEV; }

}  // namespace

TapEnd::TapEnd(int fd, unsigned vnet_hdr) : FrameEnd(fd, vnet_hdr), arena_(kArena) {}

EndState TapEnd::read(FrameBatch& batch, std::size_t most, std::size_t gap, DirectionCounters& counters) {
  arena_.clear();
  // A byte more than fits: a TAP cuts what is longer than its room, and says nothing.
  constexpr std::size_t kRoom = kLongestFrame + 1;
  while (batch.count < most) {
    const auto room = arena_.place(gap, kRoom);
    if (room.empty()) break;
    std::array<std::uint8_t, VirtioNetHeader::kSizeWithBuffers> header{};
    ssize_t got = 0;
    if (vnet_hdr() != 0) {
      const iovec parts[] = {{header.data(), vnet_hdr()}, {room.data(), room.size()}};
      got = ::readv(fd(), parts, std::size(parts));
    } else {
      got = ::read(fd(), room.data(), room.size());
    }
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == ENOMEM || errno == ENOBUFS) return {.flow = EndState::wait};
      if (batch.count != 0) break;  // it is said again
      return is_gone(errno) ? EndState{.flow = EndState::gone} : EndState::failed_with(errno);
    }
    const auto size = static_cast<std::size_t>(got);
    if (size < vnet_hdr()) {
      counters.malformed.add();
    } else if (size - vnet_hdr() < kShortestFrame) {
      counters.too_short.add();
    } else if (size - vnet_hdr() > kLongestFrame) {
      counters.too_long.add();
    } else {
      Frame frame = arena_.took(gap, size - vnet_hdr());
      frame.offload = get_vnet_hdr(header.data());
      batch.add(frame);
    }
  }
  return {};
}

EndState TapEnd::write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) {
  for (taken = 0; taken < frames.size(); ++taken) {
    const Frame& frame = frames[taken];
    const std::uint8_t* begin = put_vnet_hdr(frame);
    ssize_t written = 0;
    do {
      written = ::write(fd(), begin, vnet_hdr() + frame.size);
    } while (written < 0 && errno == EINTR);
    if (written >= 0)
      count_written(frame, counters);
    else if (errno == EAGAIN)
      return {.flow = EndState::wait};
    else if (is_gone(errno))
      return {.flow = EndState::gone};
    else
      counters.refused.add();
  }
  return {};
}

}  // namespace umlnet::client
