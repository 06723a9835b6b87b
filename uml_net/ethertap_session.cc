#include "uml_net/ethertap_session.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

#include "libumlnet/core/uml4_frames.h"
#include "uml_net/held_signals.h"
#include "uml_net/socket_kind.h"

namespace umlnet {
namespace {

constexpr int kControl = STDOUT_FILENO;
constexpr int kWatchInterval = 1000;  // milliseconds

// The control stream: whole records in, whole answers out, one at a time. While an answer waits for room no record is
// read, so that a guest that does not read its answers holds up nobody but itself.
class ControlStream {
 public:
  short wants() const { return out_.empty() ? POLLIN : POLLOUT; }

  // Moves what can be moved. False at the end of the stream; failure() says where that is not the guest's doing.
  bool move(const std::function<std::string(const uml4::ControlRecord&)>& answer) {
    if (!out_.empty()) return send();
    const auto room = in_.room();
    const ssize_t size = ::recv(kControl, room.data(), room.size(), MSG_DONTWAIT);
    if (size < 0) return goes_on("cannot read from the control stream");
    if (size == 0) return false;
    in_.took(static_cast<std::size_t>(size));
    if (const auto record = in_.take()) {
      out_ = uml4::framed_text(answer(*record));
      return send();
    }
    return true;
  }

  const std::optional<Error>& failure() const { return failure_; }

 private:
  bool goes_on(const char* doing) {
    if (errno == EAGAIN || errno == EINTR) return true;
    if (errno != EPIPE && errno != ECONNRESET) failure_ = Error{Code::reply, errno, doing, {}};
    return false;
  }

  bool send() {
    const ssize_t size = ::send(kControl, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0) return goes_on("cannot answer on the control stream");
    out_.erase(0, static_cast<std::size_t>(size));
    return true;
  }

  uml4::ControlRecordReader in_;
  std::string out_;
  std::optional<Error> failure_;
};

}  // namespace

Result<EthertapSession> EthertapSession::prepare(const unique_fd& data, int number, int tun) {
  if (!data) return fail(Code::bad_channel, "the data socket, fd " + std::to_string(number) + ", is not open");
  if (!kind_of(data.get()).is_connected_unix(SOCK_DGRAM))
    return fail(Code::bad_channel,
                "the data socket, fd " + std::to_string(number) + ", is not a connected AF_UNIX datagram socket");
  auto signals = hold_signals_back();
  if (!signals) return std::unexpected(std::move(signals.error()));
  auto relay = RelayProcess::start(tun, data.get());
  if (!relay) return std::unexpected(std::move(relay.error()));
  auto monitor = NetworkMonitor::open();
  if (!monitor) return std::unexpected(std::move(monitor.error()));
  return EthertapSession(*std::move(signals), *std::move(monitor), priv::PeerWatch::open(data.get()),
                         *std::move(relay));
}

priv::SessionFds EthertapSession::fds() const {
  return {.relay = relay_.channel(),
          .relay_pid = relay_.pid(),
          .watch = watch_ ? watch_->fd() : -1,
          .monitor = monitor_.fd()};
}

EthertapSession::End EthertapSession::hold(const Answer& answer, const std::function<bool()>& restore) {
  const auto died = [] {
    return End{"the relay process died", Error{Code::bug, 0, "the session's relay process died", {}}};
  };
  if (!relay_.begin()) {
    relay_.end();
    return died();
  }
  End end = serve(answer, restore);
  switch (relay_.end()) {
    case RelayProcess::End::by_guest: return {"the guest closed the data socket", std::nullopt};
    case RelayProcess::End::by_device: return {"the device was deleted", std::nullopt};
    case RelayProcess::End::died: return died();
    case RelayProcess::End::ended_here: break;
  }
  return end;
}

EthertapSession::End EthertapSession::serve(const Answer& answer, const std::function<bool()>& restore) {
  ControlStream control;
  for (;;) {
    pollfd fds[] = {{.fd = kControl, .events = control.wants(), .revents = 0},
                    {.fd = relay_.channel(), .events = POLLIN, .revents = 0},
                    {.fd = signals_.get(), .events = POLLIN, .revents = 0},
                    {.fd = monitor_.fd(), .events = POLLIN, .revents = 0}};
    static_assert(std::size(fds) == priv::kSessionPollFds);
    const int patience = monitor_.patience();
    const int ready = ::poll(fds, std::size(fds), patience < 0 && watch_ ? kWatchInterval : patience);
    if (ready >= 0 && monitor_.settles(ready) && !restore()) monitor_.want_another_look();
    if (ready < 0 && errno != EINTR)
      return {"poll failed", Error{Code::kernel, errno, "cannot wait for the guest", {}}};
    if (ready <= 0) {
      if (watch_ && watch_->is_gone()) return {"the guest closed the data socket", std::nullopt};
      continue;
    }
    if (fds[1].revents != 0) return {"the relay process ended", std::nullopt};  // hold() knows how
    if (fds[2].revents != 0) return {"a signal asked for the end", std::nullopt};
    if ((fds[0].revents & POLLIN) == 0 && (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
      return {"the guest closed the control stream", std::nullopt};
    if (fds[0].revents != 0 && !control.move(answer))
      return control.failure() ? End{"the control stream failed", control.failure()}
                               : End{"the guest closed the control stream", std::nullopt};
  }
}

}  // namespace umlnet
