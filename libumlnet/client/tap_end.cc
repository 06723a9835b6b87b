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

// The first of `joined`, with the payload of the others. Returns what write() does.
ssize_t TapEnd::write_frame(std::span<const Frame> joined) {
  const Frame& first = joined.front();
  std::uint8_t* begin = put_vnet_hdr(first);
  if (joined.size() == 1) return ::write(fd(), begin, vnet_hdr() + first.size);
  parts_[0] = {begin, vnet_hdr() + first.size};
  for (std::size_t i = 1; i < joined.size(); ++i)
    parts_[i] = {joined[i].data + first.headers, joined[i].size - first.headers};
  return ::writev(fd(), parts_.data(), static_cast<int>(joined.size()));
}

EndState TapEnd::write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) {
  for (taken = 0; taken < frames.size(); taken += std::size_t{1} + frames[taken].joined) {
    const auto joined = frames.subspan(taken, std::size_t{1} + frames[taken].joined);
    ssize_t written = 0;
    do {
      written = write_frame(joined);
    } while (written < 0 && errno == EINTR);
    if (written >= 0) {
      counters.frames.add();
      counters.bytes.add(static_cast<std::size_t>(written) - vnet_hdr());
    } else if (errno == EAGAIN) {
      return {.flow = EndState::wait};
    } else if (is_gone(errno)) {
      return {.flow = EndState::gone};
    } else {
      counters.refused.add(joined.size());
    }
  }
  return {};
}

}  // namespace umlnet::client
