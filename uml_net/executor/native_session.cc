#include "uml_net/executor/native_session.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <string>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/sys/keep_fds.h"
#include "uml_net/sys/signals.h"

namespace umlnet {

namespace {

// The kernel gives each descriptor that comes with a message the lowest number that is free.
Result<void> move_out_of_the_way(std::vector<unique_fd>& fds) {
  for (auto& fd : fds) {
    fd = unique_fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, fd_number::kForeign));
    if (fd) continue;
    const int errnum = errno == EINVAL ? EMFILE : errno;  // the limit is below that number
    fds.clear();
    return fail_errno(Code::usage, errnum, "cannot take the descriptors that came with the request",
                      "They have numbers from " + std::to_string(fd_number::kForeign) +
                          " on: close devices, or begin with a higher hard limit on open files (ulimit -Hn).");
  }
  return {};
}

// A front that has been taken over may say anything: any end is one.
NativeSession::End end_of(const Said& said) {
  std::optional<Error> error;
  if (said.has_error) error = decode(said.error);
  switch (static_cast<SessionEnd>(said.status)) {
    case SessionEnd::receiving_failed: return {"receiving failed", error};
    case SessionEnd::waiting_failed: return {"waiting failed", error};
    default: return {"the caller closed the session", error};
  }
}

}  // namespace

Result<NativeSession> NativeSession::prepare() {
  auto signals = hold_signals_back();
  if (signals) signals = give_number(*std::move(signals), fd_number::kSignals);
  if (!signals) return std::unexpected(std::move(signals.error()));
  auto monitor = NetworkMonitor::open_socket();
  if (monitor) monitor = give_number(*std::move(monitor), fd_number::kMonitor);
  if (!monitor) return std::unexpected(std::move(monitor.error()));
  return NativeSession(*std::move(signals), NetworkMonitor(*std::move(monitor)));
}

std::variant<FrontMessage, Error, NativeSession::End, NativeSession::NetworkChanged, NativeSession::Idle>
NativeSession::next(int channel, int patience) {
  for (;;) {
    pollfd fds[] = {{.fd = channel, .events = POLLIN, .revents = 0},
                    {.fd = signals_.get(), .events = POLLIN, .revents = 0},
                    {.fd = monitor_.fd(), .events = POLLIN, .revents = 0}};
    static_assert(std::size(fds) == fd_number::kPolledBySession);
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
    auto message = receive_said(channel);
    if (!message && message.error().errnum == EMFILE)  // it was taken all the same
      return Error{Code::usage, EMFILE, "cannot take the request: " + message.error().what,
                   "Close devices, or begin with a higher limit on open files (ulimit -n)."};
    if (!message) return End{"the process that talks to the caller ended", std::move(message.error())};
    if (message->said.what == Says::caller_gone) return end_of(message->said);
    if (auto moved = move_out_of_the_way(message->fds); !moved) return std::move(moved.error());
    return *std::move(message);
  }
}

}  // namespace umlnet
