// A session of the native protocol: one helper for a VM manager's life, which takes requests until its caller closes
// the socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "libumlnet/core/error.h"
#include "libumlnet/core/fd_passing.h"
#include "libumlnet/core/request_id.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/file_watch.h"
#include "uml_net/trusted_opener.h"

namespace umlnet {

// What a session keeps from the time before the process became its caller.
struct SessionRoots {
  FileWatch watch;
  TrustedOpener opener;

  // To be called with the installation's identity, before the policy is read and the log is opened.
  static Result<SessionRoots> begin();
};

// The link group of what a session makes: a number of its own, in the upper half, where people choose none.
std::uint32_t session_group(const RequestId& id);

class NativeSession {
 public:
  // fd 1 is the session's socket: Code::bad_channel where that is no connected AF_UNIX SOCK_SEQPACKET socket. The
  // process leaves its caller's session; signals that would end it end the session instead.
  static Result<NativeSession> prepare(SessionRoots roots);

  int signals() const { return signals_.get(); }
  FileWatch& watch() { return roots_.watch; }
  TrustedOpener& opener() { return roots_.opener; }

  struct End {
    std::string why;  // in words, for the audit log
  };
  // The next record with its fds, waited for.
  std::variant<Message, Error, End> next();

 private:
  NativeSession(unique_fd signals, SessionRoots roots) : signals_(std::move(signals)), roots_(std::move(roots)) {}
  unique_fd signals_;
  SessionRoots roots_;
};

}  // namespace umlnet
