#include "uml_net/worker/frame_relay.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/filters.h"
#include "uml_net/sys/keep_fds.h"

namespace umlnet {
namespace {

constexpr int kBurst = 64;  // frames one way, before the other way gets its turn
constexpr std::size_t kLongestPacket = std::max(kEthertapPackets.padding + kEthertapPackets.longest_frame,
                                                kSealedPackets.padding + kSealedPackets.longest_frame);

// One byte longer than a packet: a TAP cuts a frame that is longer than the buffer, and does not say so. Static,
// because the filter forbids to allocate memory, and the caller may have limited the stack.
using Buffer = std::array<std::uint8_t, kLongestPacket + 1>;
Buffer to_guest_buffer, to_host_buffer;

bool is_try_again(int error) { return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM; }

unsigned number_of(const RelayFds& fds) { return fds.controller < 0 ? 2 : 3; }

void add(FrameCounters::Count& counter, std::uint64_t number = 1) {
  counter.fetch_add(number, std::memory_order_relaxed);
}

void add_frame(FrameCounters::Direction& direction, std::size_t size) {
  add(direction.frames);
  add(direction.bytes, size);
}

class Relay {
 public:
  Relay(const RelayFds& fds, const PacketFormat& format, FrameCounters& counters)
      : fds_(fds), format_(format), counters_(counters) {}

  RelayEnd run() {
    for (;;) {
      const bool blocked = waiting_ != 0;
      pollfd fds[] = {
          {.fd = fds_.data, .events = static_cast<short>(POLLIN | POLLRDHUP | (blocked ? POLLOUT : 0)), .revents = 0},
          {.fd = fds_.tap, .events = static_cast<short>(blocked ? 0 : POLLIN), .revents = 0},
          {.fd = fds_.controller, .events = POLLIN, .revents = 0}};
      const auto& [data, tap, controller] = fds;
      if (::poll(fds, number_of(fds_), -1) < 0) {
        if (errno == EINTR) continue;
        return RelayEnd::failed;
      }
      if (controller.revents != 0) return RelayEnd::controller_gone;
      if ((data.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)) != 0) return RelayEnd::guest_gone;
      if ((tap.revents & (POLLERR | POLLNVAL)) != 0) return RelayEnd::device_gone;
      if ((data.revents & POLLIN) != 0)
        if (const auto end = move_to_host()) return *end;
      if (tap.revents != 0 || (data.revents & POLLOUT) != 0)
        if (const auto end = move_to_guest()) return *end;
    }
  }

 private:
  std::optional<RelayEnd> move_to_guest() {
    for (int i = 0; i < kBurst; ++i) {
      if (waiting_ == 0) {
        const ssize_t size = ::read(fds_.tap, &to_guest_buffer[format_.padding], format_.longest_frame + 1);
        if (size < 0 && is_try_again(errno)) return std::nullopt;
        if (size <= 0) return RelayEnd::device_gone;
        if (!fits(static_cast<std::size_t>(size), counters_.to_guest)) continue;
        waiting_ = static_cast<std::size_t>(size);
      }
      if (::send(fds_.data, to_guest_buffer.data(), format_.padding + waiting_, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return is_try_again(errno) ? std::nullopt : std::optional(RelayEnd::guest_gone);
      add_frame(counters_.to_guest, std::exchange(waiting_, 0));
    }
    return std::nullopt;
  }

  std::optional<RelayEnd> move_to_host() {
    for (int i = 0; i < kBurst; ++i) {
      const ssize_t size = ::recv(fds_.data, to_host_buffer.data(), to_host_buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
      if (size < 0) return is_try_again(errno) ? std::nullopt : std::optional(RelayEnd::guest_gone);
      const auto packet = static_cast<std::size_t>(size);  // its true size, even if that is more than the buffer's
      const std::size_t frame = packet - std::min(packet, format_.padding);
      if (!fits(frame, counters_.to_host)) continue;
      if (::write(fds_.tap, &to_host_buffer[format_.padding], frame) >= 0)
        add_frame(counters_.to_host, frame);
      else if (errno == EBADFD)
        return RelayEnd::device_gone;
      else
        add(counters_.refused_by_host);
    }
    return std::nullopt;
  }

  bool fits(std::size_t frame, FrameCounters::Direction& direction) const {
    if (frame < kEthernetHeader) add(direction.too_short);
    if (frame > format_.longest_frame) add(direction.too_long);
    return frame >= kEthernetHeader && frame <= format_.longest_frame;
  }

  RelayFds fds_;
  PacketFormat format_;
  FrameCounters& counters_;
  std::size_t waiting_ = 0;  // bytes of the frame in to_guest_buffer that waits for room in the socket; 0: none
};

}  // namespace

RelayEnd become_relay(const RelayFds& fds, const PacketFormat& format, FrameCounters& counters) {
  const bool has_controller = fds.controller >= 0;
  const RelayFds own{.tap = fd_number::kRelayTap,
                     .data = fd_number::kRelayData,
                     .controller = has_controller ? fd_number::kRelayController : -1};
  const NumberedFd kept[] = {{fds.tap, own.tap}, {fds.data, own.data}, {fds.controller, fd_number::kRelayController}};
  if (!keep_fds(0, kept)) return RelayEnd::failed;
  const rlimit no_more{number_of(own), number_of(own)};  // poll() needs the limit to be at least its number of fds
  ::setrlimit(RLIMIT_NOFILE, &no_more);
  if (!filters::enter(has_controller ? filters::kSessionRelay : filters::kSealedRelay)) return RelayEnd::failed;
  while (has_controller) {
    char go = 0;
    const ssize_t size = ::read(own.controller, &go, 1);
    if (size == 1) break;
    if (size == 0 || errno != EINTR) return RelayEnd::controller_gone;
  }
  return Relay(own, format, counters).run();
}

}  // namespace umlnet
