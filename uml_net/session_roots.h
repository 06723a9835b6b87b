// What a session keeps from the time before its process became its caller, so that it goes by the files that only the
// administrator can change for as long as it lasts: by the policy that it began with, and into the audit log, wherever
// that lies now.
#pragma once

#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/audit_log.h"
#include "uml_net/file_watch.h"
#include "uml_net/priv/stage_filter.h"
#include "uml_net/trusted_opener.h"

namespace umlnet {

class SessionRoots {
 public:
  // To be called with the installation's identity, before the policy is read and the log is opened: for a session of
  // `many` requests, with a watch, which few of a user's can have. Code::kernel where there is no process to be had.
  static Result<SessionRoots> begin(bool many);

  priv::RootsFds fds() const { return {.opener = opener_.channel(), .watch = watch_.fd()}; }

  // To be called before each request of the session: `log` moves to the file that lies at its place now, and `tuns`,
  // which are open on /dev/net/tun and not tied to a device, become `wanted` at least. Errors are those of
  // TrustedOpener::open() and Log::move_to().
  Result<void> prepare(audit::Log& log, std::vector<unique_fd>& tuns, unsigned wanted);
  // The same for what is asked without a device, and where a line is written whether or not a new log can be had: where
  // not, to the one that the session has.
  Result<void> follow(audit::Log& log);

  // Code::denied, for ever, once a file of the policy was made, changed, renamed or deleted between begin() and the
  // last prepare().
  Result<void> check_policy();

 private:
  SessionRoots(TrustedOpener opener, FileWatch watch) : opener_(std::move(opener)), watch_(std::move(watch)) {}

  TrustedOpener opener_;
  FileWatch watch_;
};

}  // namespace umlnet
