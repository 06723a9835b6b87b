// A session of the native protocol: one helper for a VM manager's life, which takes requests until its caller closes
// the socket.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "libumlnet/core/error.h"
#include "libumlnet/core/network_monitor.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/channel/message.h"

namespace umlnet {

class NativeSession {
 public:
  // The process leaves its caller's session; signals that would end it end the session instead.
  static Result<NativeSession> prepare();

  struct End {
    std::string why;                            // in words, for the audit log
    std::optional<Error> error = std::nullopt;  // where it was no orderly end
  };
  struct NetworkChanged {};  // a moment ago, and there was no record since
  struct Idle {};
  // What the front says next, with the record's fds, waited for `patience` milliseconds or less (-1: for ever), then
  // Idle; an Error where the fds could not be taken; the end of the session also where the front is gone, and where the
  // kernel does not let it wait.
  std::variant<FrontMessage, Error, End, NetworkChanged, Idle> next(int channel, int patience);

  // NetworkChanged comes once more.
  void want_another_look() { monitor_.want_another_look(); }

 private:
  NativeSession(unique_fd signals, NetworkMonitor monitor)
      : signals_(std::move(signals)), monitor_(std::move(monitor)) {}
  unique_fd signals_;
  NetworkMonitor monitor_;
};

}  // namespace umlnet
