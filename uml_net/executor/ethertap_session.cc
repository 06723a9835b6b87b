#include "uml_net/executor/ethertap_session.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <iterator>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/sys/keep_fds.h"
#include "uml_net/sys/signals.h"
#include "uml_net/sys/socket_kind.h"

namespace umlnet {
namespace {

constexpr int kWatchInterval = 1000;  // milliseconds

}  // namespace

Result<EthertapSession> EthertapSession::prepare(const unique_fd& data, int number, int tun) {
  if (!data) return fail(Code::bad_channel, "the data socket, fd " + std::to_string(number) + ", is not open");
  if (!kind_of(data.get()).is_connected_unix(SOCK_DGRAM))
    return fail(Code::bad_channel,
                "the data socket, fd " + std::to_string(number) + ", is not a connected AF_UNIX datagram socket");
  auto signals = hold_signals_back();
  if (signals) signals = give_number(*std::move(signals), fd_number::kSignals);
  if (!signals) return std::unexpected(std::move(signals.error()));
  auto relay = RelayProcess::start(tun, data.get());
  if (!relay) return std::unexpected(std::move(relay.error()));
  auto monitor = NetworkMonitor::open_socket();
  if (monitor) monitor = give_number(*std::move(monitor), fd_number::kMonitor);
  if (!monitor) return std::unexpected(std::move(monitor.error()));
  return EthertapSession(*std::move(signals), NetworkMonitor(*std::move(monitor)),
                         priv::PeerWatch::open(data.get(), fd_number::kPeerWatch), *std::move(relay));
}

EthertapSession::End EthertapSession::hold(int channel, const Take& take, const std::function<bool()>& restore) {
  const auto died = [] {
    return End{"the relay process died", Error{Code::bug, 0, "the session's relay process died", {}}};
  };
  if (!relay_.begin()) {
    relay_.end();
    return died();
  }
  End end = serve(channel, take, restore);
  switch (relay_.end()) {
    case RelayProcess::End::by_guest: return {"the guest closed the data socket", std::nullopt};
    case RelayProcess::End::by_device: return {"the device was deleted", std::nullopt};
    case RelayProcess::End::died: return died();
    case RelayProcess::End::ended_here: break;
  }
  return end;
}

EthertapSession::End EthertapSession::serve(int channel, const Take& take, const std::function<bool()>& restore) {
  for (;;) {
    pollfd fds[] = {{.fd = channel, .events = POLLIN, .revents = 0},
                    {.fd = relay_.channel(), .events = POLLIN, .revents = 0},
                    {.fd = signals_.get(), .events = POLLIN, .revents = 0},
                    {.fd = monitor_.fd(), .events = POLLIN, .revents = 0}};
    static_assert(std::size(fds) == fd_number::kPolledByController);
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
    if (fds[0].revents == 0) continue;
    if (auto end = take()) return *std::move(end);
  }
}

}  // namespace umlnet
