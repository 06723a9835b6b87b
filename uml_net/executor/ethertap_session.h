// An ethertap session: a relay process for the frames, a front that reads the control stream, and this process, the
// controller, which alone keeps the capability, and never touches a frame.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/network_monitor.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/priv/peer_watch.h"
#include "uml_net/worker/relay_process.h"

namespace umlnet {

class EthertapSession {
 public:
  // All that cannot be had any more once the seccomp filter is in force, at the numbers that it knows. `data`, the
  // caller's socket for frames, is checked first (Code::bad_channel): a connected AF_UNIX SOCK_DGRAM socket; `number`
  // is what the caller called it. `tun` is an fd on /dev/net/tun, not tied to a device yet, borrowed. The process
  // leaves its caller's session, so that a signal to the guest's process group does not end it before it has cleaned
  // up; signals that would end it are held back and end the session instead.
  static Result<EthertapSession> prepare(const unique_fd& data, int number, int tun);

  // What happened, in words for the audit log; an error where it was no orderly end.
  struct End {
    std::string why;
    std::optional<Error> error;
  };
  // Frames flow, and each message of the front is taken by `take`, which says where it was the last, until one of the
  // sockets or the device ends, a signal comes, or the relay dies. The relay is gone when this returns.
  // `restore` is called after changes of the network, when nothing else is to be done; where it returns false, once
  // more.
  using Take = std::function<std::optional<End>()>;
  End hold(int channel, const Take& take, const std::function<bool()>& restore);

  const FrameCounters& counters() const { return relay_.counters(); }

 private:
  EthertapSession(unique_fd signals, NetworkMonitor monitor, std::optional<priv::PeerWatch> watch, RelayProcess relay)
      : signals_(std::move(signals)),
        monitor_(std::move(monitor)),
        watch_(std::move(watch)),
        relay_(std::move(relay)) {}
  End serve(int channel, const Take& take, const std::function<bool()>& restore);

  unique_fd signals_;
  NetworkMonitor monitor_;
  std::optional<priv::PeerWatch> watch_;
  RelayProcess relay_;
};

}  // namespace umlnet
