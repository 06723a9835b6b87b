#include "uml_net/frame_relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "libumlnet/core/ethertap_frame.h"

namespace umlnet {
namespace {

constexpr int kBurst = 64;  // frames one way, before the other way gets its turn

void count(FrameCounters::Count& counter, std::uint64_t by = 1) { counter.fetch_add(by, std::memory_order_relaxed); }

bool is_try_again(int error) { return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM; }

bool fits(std::size_t frame, const FrameFormat& format, FrameCounters::Direction& direction) {
  if (frame < kEthernetHeader) count(direction.too_short);
  if (frame > format.longest) count(direction.too_long);
  return frame >= kEthernetHeader && frame <= format.longest;
}

// Room for a byte more than fits: a TAP cuts what is longer than the buffer, and says nothing.
using Buffer = std::array<std::uint8_t, 65536>;
static_assert(std::tuple_size_v<Buffer> > kPlainFrames.padding + kPlainFrames.longest);

class ToGuest {
 public:
  ToGuest(int tap, int data, const FrameFormat& format, FrameCounters::Direction& counters)
      : tap_(tap), data_(data), format_(format), counters_(counters) {}

  // Whether a frame waits for room in the guest's socket.
  bool blocked() const { return frame_ != 0; }

  std::optional<RelayEnd> move() {
    for (int i = 0; i < kBurst; ++i) {
      if (frame_ == 0) {
        const ssize_t size = ::read(tap_, buffer_.data() + format_.padding, format_.longest + 1);
        if (size < 0 && is_try_again(errno)) return std::nullopt;
        if (size <= 0) return RelayEnd::device_gone;
        if (!fits(static_cast<std::size_t>(size), format_, counters_)) continue;
        frame_ = static_cast<std::size_t>(size);
      }
      if (::send(data_, buffer_.data(), format_.padding + frame_, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return is_try_again(errno) ? std::nullopt : std::optional(RelayEnd::guest_gone);
      count(counters_.frames);
      count(counters_.bytes, frame_);
      frame_ = 0;
    }
    return std::nullopt;
  }

 private:
  int tap_, data_;
  FrameFormat format_;
  FrameCounters::Direction& counters_;
  Buffer buffer_{};
  std::size_t frame_ = 0;  // bytes of the frame in the buffer; 0: none
};

class ToHost {
 public:
  ToHost(int tap, int data, const FrameFormat& format, FrameCounters& counters)
      : tap_(tap), data_(data), format_(format), counters_(counters.to_host), refused_(counters.refused_by_host) {}

  std::optional<RelayEnd> move() {
    for (int i = 0; i < kBurst; ++i) {
      const ssize_t size = ::recv(data_, buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC);
      if (size < 0) return is_try_again(errno) ? std::nullopt : std::optional(RelayEnd::guest_gone);
      const auto datagram = static_cast<std::size_t>(size);  // its true size, be it longer than the buffer
      const std::size_t frame = datagram > format_.padding ? datagram - format_.padding : 0;
      if (!fits(frame, format_, counters_)) continue;
      if (::write(tap_, buffer_.data() + format_.padding, frame) < 0) {
        if (errno == EBADFD) return RelayEnd::device_gone;
        count(refused_);
        continue;
      }
      count(counters_.frames);
      count(counters_.bytes, frame);
    }
    return std::nullopt;
  }

 private:
  int tap_, data_;
  FrameFormat format_;
  FrameCounters::Direction& counters_;
  FrameCounters::Count& refused_;
  Buffer buffer_{};
};

}  // namespace

RelayEnd relay_frames(int tap, int data, int controller, const FrameFormat& format, FrameCounters& counters) {
  ToGuest to_guest(tap, data, format, counters.to_guest);
  ToHost to_host(tap, data, format, counters);
  for (;;) {
    const auto when_blocked = [&](short events) { return to_guest.blocked() ? events : short{0}; };
    const auto when_free = [&](short events) { return to_guest.blocked() ? short{0} : events; };
    pollfd fds[] = {
        {.fd = controller, .events = POLLIN, .revents = 0},
        {.fd = data, .events = static_cast<short>(POLLIN | POLLRDHUP | when_blocked(POLLOUT)), .revents = 0},
        {.fd = tap, .events = when_free(POLLIN), .revents = 0}};
    if (::poll(fds, std::size(fds), -1) < 0) {
      if (errno == EINTR) continue;
      return RelayEnd::failed;
    }
    if (fds[0].revents != 0) return RelayEnd::controller_gone;
    if ((fds[1].revents & (POLLHUP | POLLRDHUP | POLLNVAL)) != 0) return RelayEnd::guest_gone;
    if ((fds[2].revents & (POLLERR | POLLNVAL)) != 0) return RelayEnd::device_gone;
    if (fds[1].revents != 0)
      if (const auto end = to_host.move()) return *end;
    if (fds[2].revents != 0 || (fds[1].revents & POLLOUT) != 0)
      if (const auto end = to_guest.move()) return *end;
  }
}

}  // namespace umlnet
