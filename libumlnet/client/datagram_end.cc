#include "libumlnet/client/datagram_end.h"

#include <algorithm>
#include <cerrno>

#include "libumlnet/core/ethertap_frame.h"

namespace umlnet::client {
namespace {

// Not a power of two between slots: the beginnings of all frames would share a few lines of the processor's cache.
constexpr std::size_t kLine = 64;
std::size_t slot_size_for(std::size_t datagram) { return (kLongestPrefix + datagram + kLine) / kLine * kLine | kLine; }

bool has(int fd, int option, int wanted) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

}  // namespace

std::unique_ptr<DatagramEnd> DatagramEnd::plain(int fd, unsigned vnet_hdr) {
  return std::unique_ptr<DatagramEnd>(new DatagramEnd(fd, vnet_hdr, 0, kLongestFrame));
}

std::unique_ptr<DatagramEnd> DatagramEnd::ethertap(int fd) {
  return std::unique_ptr<DatagramEnd>(new DatagramEnd(fd, 0, ethertap::kPadding, ethertap::kLongestFrame));
}

DatagramEnd::DatagramEnd(int fd, unsigned vnet_hdr, std::size_t padding, std::size_t longest)
    : FrameEnd(fd, vnet_hdr),
      padding_(padding),
      longest_(longest),
      slot_size_(slot_size_for(prefix() + longest)),
      local_(has(fd, SO_DOMAIN, AF_UNIX)),
      shows_its_end_(has(fd, SO_TYPE, SOCK_SEQPACKET)),
      memory_(std::make_unique_for_overwrite<std::uint8_t[]>(kBurst * slot_size_)),
      parts_(kBurst),
      messages_(kBurst) {
  for (std::size_t i = 0; i < kBurst; ++i) {
    parts_[i] = {slot(i) + kLongestPrefix, prefix() + longest_};
    messages_[i].msg_hdr.msg_iov = &parts_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    // No room for control messages: descriptors that the other side sends along never arrive.
  }
}

EndState DatagramEnd::read(FrameBatch& batch, std::size_t most, std::size_t /*gap*/, DirectionCounters& counters) {
  const int got =
      ::recvmmsg(fd(), messages_.data(), static_cast<unsigned>(std::min(most, kBurst)), MSG_DONTWAIT, nullptr);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ENOMEM || errno == ENOBUFS) return {.flow = EndState::wait};
    // The answer of a host to what was sent before; reading it has cleared it.
    if (!local_ && errno != EBADF && errno != ENOTSOCK) return {.flow = EndState::wait};
    return errno == ECONNRESET || errno == ENOTCONN ? EndState{.flow = EndState::gone} : EndState::failed_with(errno);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    const std::size_t size = messages_[i].msg_len;
    if ((messages_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      counters.too_long.add();
    } else if (size == 0 && shows_its_end_) {
      return {.flow = batch.count == 0 ? EndState::gone : EndState::more};  // it is said again
    } else if (size < vnet_hdr()) {
      counters.malformed.add();
    } else if (size < prefix() + kShortestFrame) {
      counters.too_short.add();
    } else {
      std::uint8_t* begin = slot(i) + kLongestPrefix;
      batch.add({.data = begin + prefix(),
                 .size = size - prefix(),
                 .room = kLongestPrefix + prefix(),
                 .offload = get_vnet_hdr(begin)});
    }
  }
  return {.flow = static_cast<std::size_t>(got) < most ? EndState::wait : EndState::more};
}

EndState DatagramEnd::write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) {
  for (taken = 0; taken < frames.size(); ++taken) {
    const Frame& frame = frames[taken];
    std::uint8_t* begin = put_vnet_hdr(frame) - padding_;
    std::fill_n(begin, padding_, std::uint8_t{0});
    ssize_t sent = 0;
    do {
      sent = ::send(fd(), begin, prefix() + frame.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
      count_written(frame, counters);
      continue;
    }
    switch (errno) {
      case EAGAIN: return {.flow = EndState::wait};
      case EMSGSIZE: counters.too_long.add(); break;
      case EPIPE: return {.flow = EndState::gone};
      case EBADF:
      case ENOTSOCK: return EndState::failed_with(errno);
      case ECONNREFUSED:
      case ECONNRESET:
      case ENOTCONN:
        if (local_) return {.flow = EndState::gone};
        [[fallthrough]];
      default: counters.refused.add(); break;  // no memory; on a network, also nobody there now, or a firewall
    }
  }
  return {};
}

}  // namespace umlnet::client
