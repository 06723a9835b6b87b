#include "uml_net/native_session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <string>

#include "libumlnet/core/native5_arguments.h"
#include "uml_net/held_signals.h"
#include "uml_net/open_file_limit.h"
#include "uml_net/priv/stage_filter.h"
#include "uml_net/socket_kind.h"

namespace umlnet {

namespace {

// The kernel gives each descriptor that comes with a message the lowest number that is free.
Result<void> move_out_of_the_way(std::vector<unique_fd>& fds) {
  for (auto& fd : fds) {
    fd = unique_fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, priv::kFirstForeignFd));
    if (fd) continue;
    const int errnum = errno == EINVAL ? EMFILE : errno;  // the limit is below that number
    fds.clear();
    return fail_errno(Code::usage, errnum, "cannot take the descriptors that came with the request",
                      "They have numbers from " + std::to_string(priv::kFirstForeignFd) +
                          " on: close devices, or begin with a higher hard limit on open files (ulimit -Hn).");
  }
  return {};
}

}  // namespace

Result<NativeSession> NativeSession::prepare() {
  if (!kind_of(STDOUT_FILENO).is_connected_unix(SOCK_SEQPACKET))
    return fail(Code::bad_channel,
                "fd 1 is not a connected AF_UNIX sequenced-packet socket, so there is no way to take requests",
                "A session's requests and answers are one packet each; see uml_net(8).");
  raise_open_file_limit();
  auto signals = hold_signals_back();
  if (!signals) return std::unexpected(std::move(signals.error()));
  auto monitor = NetworkMonitor::open();
  if (!monitor) return std::unexpected(std::move(monitor.error()));
  return NativeSession(*std::move(signals), *std::move(monitor));
}

std::variant<Message, Error, NativeSession::End, NativeSession::NetworkChanged, NativeSession::Idle>
NativeSession::next(int patience) {
  for (;;) {
    pollfd fds[] = {{.fd = STDOUT_FILENO, .events = POLLIN, .revents = 0},
                    {.fd = signals_.get(), .events = POLLIN, .revents = 0},
                    {.fd = monitor_.fd(), .events = POLLIN, .revents = 0}};
    static_assert(std::size(fds) == priv::kNativeSessionPollFds);
    const int moment = monitor_.patience();
    const int ready = ::poll(fds, std::size(fds), moment >= 0 ? moment : patience);
    if (ready < 0) {
      if (errno == EINTR) continue;
      return End{"waiting failed", Error{Code::kernel, errno, "cannot wait for the next request", {}}};
    }
    if (monitor_.settles(ready)) return NetworkChanged{};
    if (ready == 0) return Idle{};
    if (fds[1].revents != 0) return End{"a signal asked for the end"};
    // Many notices of the network are not to keep the caller from its events.
    if (fds[0].revents == 0 && patience >= 0) return Idle{};
    if (fds[0].revents == 0) continue;
    auto message = receive_with_fds(STDOUT_FILENO, native5::kMaxRecord);
    if (!message) {
      const Error& error = message.error();
      if (error.errnum == EAGAIN) continue;
      if (error.errnum == ECONNRESET) return End{"the caller closed the session"};
      // A record that is too large, or has too many descriptors, has been taken all the same.
      if (error.errnum != 0 && error.errnum != EMFILE)
        return End{"receiving failed", Error{Code::kernel, error.errnum, "cannot receive the next request", {}}};
      return Error{Code::usage, error.errnum, "cannot take the request: " + error.what,
                   "A record has " + std::to_string(native5::kMaxRecord) + " bytes at the most, and " +
                       std::to_string(kMaxPassedFds) + " descriptors."};
    }
    // A packet without bytes is taken for the end as well: there is no telling one from the other.
    if (message->bytes.empty()) return End{"the caller closed the session"};
    if (auto moved = move_out_of_the_way(message->fds); !moved) return std::move(moved.error());
    return *std::move(message);
  }
}

}  // namespace umlnet
