#include "uml_net/sealed_relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "libumlnet/core/ethernet.h"

namespace umlnet {
namespace {

constexpr int kFds = 2;
constexpr int kBurst = 64;  // frames one way, before the other way gets its turn
constexpr std::size_t kLongestFrame = 65535;

bool is_try_again(int error) { return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM; }

struct Way {
  std::array<std::uint8_t, kLongestFrame> buffer{};
  std::size_t frame = 0;  // bytes of the frame in the buffer that waits for room at the other side; 0: none
};

// False at the end of either side.
bool move_to_caller(int tap, int data, Way& way) {
  for (int i = 0; i < kBurst; ++i) {
    if (way.frame == 0) {
      const ssize_t size = ::read(tap, way.buffer.data(), way.buffer.size());
      if (size < 0 && is_try_again(errno)) return true;
      if (size <= 0) return false;
      way.frame = static_cast<std::size_t>(size);
    }
    if (::send(data, way.buffer.data(), way.frame, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return is_try_again(errno);
    way.frame = 0;
  }
  return true;
}

bool move_to_host(int tap, int data, Way& way) {
  for (int i = 0; i < kBurst; ++i) {
    const ssize_t size = ::recv(data, way.buffer.data(), way.buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0) return is_try_again(errno);
    if (size == 0) return true;  // the end, which poll() tells, or an empty packet
    const auto frame = static_cast<std::size_t>(size);
    if (frame < kEthernetHeader || frame > way.buffer.size()) continue;
    // What the device does not take (it is down, or has no memory) is dropped, as on a wire.
    if (::write(tap, way.buffer.data(), frame) < 0 && errno == EBADFD) return false;
  }
  return true;
}

}  // namespace

void relay_sealed(int tap, int data) {
  static Way to_caller, to_host;  // not on the stack, which the caller may have limited
  for (;;) {
    const bool blocked = to_caller.frame != 0;
    pollfd fds[] = {
        {.fd = data, .events = static_cast<short>(POLLIN | POLLRDHUP | (blocked ? POLLOUT : 0)), .revents = 0},
        {.fd = tap, .events = static_cast<short>(blocked ? 0 : POLLIN), .revents = 0}};
    static_assert(std::size(fds) == kFds);
    if (::poll(fds, std::size(fds), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if ((fds[0].revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)) != 0) return;
    if ((fds[1].revents & (POLLERR | POLLNVAL)) != 0) return;
    if ((fds[0].revents & POLLIN) != 0 && !move_to_host(tap, data, to_host)) return;
    if ((fds[1].revents != 0 || (fds[0].revents & POLLOUT) != 0) && !move_to_caller(tap, data, to_caller)) return;
  }
}

SeccompFilter sealed_relay_filter(int tap, int data) {
  using Where = SeccompFilter::Where;
  SeccompFilter filter;
  filter.allow_poll({Where::equals(1, kFds)});
  filter.allow_on_fd(SYS_read, tap).allow_on_fd(SYS_write, tap);
  filter.allow_on_fd(SYS_sendto, data).allow_on_fd(SYS_recvfrom, data);
  filter.allow(SYS_exit_group).allow(SYS_restart_syscall);
#ifdef UMLNET_SANITIZED
  filter.allow(SYS_sigaltstack);  // before a call that does not return. Not in a release build.
#endif
  return filter;
}

}  // namespace umlnet
