#include "libumlnet/client/stream_end.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace umlnet::client {
namespace {

constexpr std::size_t kReceived = std::size_t{256} * 1024;
constexpr std::size_t kGathered = std::size_t{128} * 1024;
// A piece of this size is worth a system call of its own; what is smaller is copied together first.
constexpr std::size_t kWorthACall = std::size_t{16} * 1024;

bool is_gone(int error) {
  return error == EPIPE || error == ECONNRESET || error == ECONNABORTED || error == ETIMEDOUT || error == ENOTCONN;
}

}  // namespace

StreamEnd::StreamEnd(int fd, unsigned vnet_hdr)
    : FrameEnd(fd, vnet_hdr),
      received_(std::make_unique_for_overwrite<std::uint8_t[]>(kLongestPrefix + kReceived)),
      gathered_(std::make_unique_for_overwrite<std::uint8_t[]>(kGathered)),
      decoder_({&received_[kLongestPrefix], kReceived}) {}

void StreamEnd::decode(FrameBatch& batch, std::size_t most, DirectionCounters& counters) {
  while (batch.count < most) {
    const auto taken = decoder_.take();
    if (!taken) return;
    if (taken->size() < vnet_hdr()) {
      counters.malformed.add();
      continue;
    }
    const std::size_t size = taken->size() - vnet_hdr();
    if (size < kShortestFrame) {
      counters.too_short.add();
      continue;
    }
    // The decoder gives it as it would to a reader; the buffer is ours.
    std::uint8_t* begin = &received_[kLongestPrefix] + (taken->data() - &received_[kLongestPrefix]);
    batch.add({.data = begin + vnet_hdr(), .size = size, .room = prefix(), .offload = get_vnet_hdr(begin)});
  }
}

EndState StreamEnd::read(FrameBatch& batch, std::size_t most, std::size_t /*gap*/, DirectionCounters& counters) {
  decode(batch, most, counters);
  if (batch.count == 0 && !decoder_.broken()) {
    const auto room = decoder_.room();
    const ssize_t got = ::recv(fd(), room.data(), room.size(), MSG_DONTWAIT);
    filled_ = got > 0 && static_cast<std::size_t>(got) == room.size();
    if (got == 0) return {.flow = EndState::gone};
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == ENOMEM || errno == ENOBUFS) return {.flow = EndState::wait};
      return is_gone(errno) ? EndState{.flow = EndState::gone} : EndState::failed_with(errno);
    }
    decoder_.took(static_cast<std::size_t>(got));
    decode(batch, most, counters);
  }
  if (batch.count == 0 && decoder_.broken()) return {.flow = EndState::broken, .code = UMLNET_PROTOCOL};
  const bool may_hold_more = batch.count == most || decoder_.broken();
  return {.flow = may_hold_more || filled_ ? EndState::more : EndState::wait};
}

std::uint8_t* StreamEnd::put_prefix(const Frame& frame) const {
  std::uint8_t* begin = put_vnet_hdr(frame) - kQemuStreamHeader;
  std::ranges::copy(qemu_stream_header(vnet_hdr() + frame.size), begin);
  return begin;
}

std::size_t StreamEnd::in_one_piece(std::span<const Frame> frames) const {
  if (frames.front().room < prefix()) return 0;
  std::size_t count = 1;
  while (count < frames.size() && frames[count].room >= prefix() &&
         frames[count].data == frames[count - 1].data + frames[count - 1].size + prefix())
    ++count;
  return count;
}

// Copies the first of `frames` together, until it is full or a piece comes that goes out by itself.
std::size_t StreamEnd::gather(std::span<const Frame> frames, std::size_t& size) {
  std::size_t count = 0;
  size = 0;
  while (count < frames.size()) {
    const Frame& frame = frames[count];
    const std::size_t whole = prefix() + frame.size;
    if (kGathered - size < whole || (count != 0 && frame.size >= kWorthACall && frame.room >= prefix())) break;
    Frame copy = frame;
    copy.data = &gathered_[size] + prefix();
    std::memcpy(copy.data, frame.data, frame.size);
    put_prefix(copy);
    size += whole;
    ++count;
  }
  return count;
}

EndState StreamEnd::write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) {
  taken = 0;
  while (taken < frames.size()) {
    const auto rest = frames.subspan(taken);
    const std::uint8_t* begin = nullptr;
    std::size_t size = 0;
    std::size_t count = in_one_piece(rest);
    for (const Frame& frame : rest.first(count)) size += prefix() + frame.size;
    if (count == rest.size() || size >= kWorthACall) {
      begin = put_prefix(rest.front());
      for (const Frame& frame : rest.subspan(1, count - 1)) put_prefix(frame);
    } else {
      begin = gathered_.get();
      count = gather(rest, size);
    }

    ssize_t sent = 0;
    do {
      sent = ::send(fd(), begin + partly_, size - partly_, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
      if (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS) return {.flow = EndState::wait};
      return is_gone(errno) ? EndState{.flow = EndState::gone} : EndState::failed_with(errno);
    }
    partly_ += static_cast<std::size_t>(sent);
    for (; count != 0 && partly_ >= prefix() + frames[taken].size; --count) {
      partly_ -= prefix() + frames[taken].size;
      count_written(frames[taken++], counters);
    }
    if (count != 0) return {.flow = EndState::wait};  // it took less than it was given
  }
  return {};
}

}  // namespace umlnet::client
