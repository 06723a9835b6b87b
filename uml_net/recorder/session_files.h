// What a session keeps from the time before its process became its caller, so that it uses the files that only the
// administrator can change for as long as it lasts: /dev/net/tun, the audit log at its path, and the policy.
#pragma once

#include <span>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "policy/accounts.h"
#include "policy/load.h"
#include "uml_net/recorder/audit_log.h"
#include "uml_net/recorder/file_opener.h"

namespace umlnet {

class SessionFiles {
 public:
  // To be called with the installation's identity; for a session of `many` requests, each of which may make devices.
  // Code::kernel where there is no process to be had.
  static Result<SessionFiles> begin(bool many);

  int opener() const { return opener_.channel(); }  // for request_filter()

  // To be called before prepare(): the policy that the session decides by.
  Result<void> remember(std::span<const policy::PolicyText> policy) { return opener_.remember(policy); }

  // To be called before each request of the session: `log` moves to the file that is at its path now, and `tuns`,
  // which are open on /dev/net/tun and not tied to a device, become `wanted` at least. Errors are those of
  // FileOpener::open() and Log::move_to().
  Result<void> prepare(audit::Log& log, std::vector<unique_fd>& tuns, unsigned wanted);
  // The same for what is asked without a device, and where a line is written whether or not a new log can be had: where
  // not, to the one that the session has.
  Result<void> follow(audit::Log& log);

  // Code::policy_changed where the policy at the last prepare() or follow() was not the one that the session has.
  Result<void> check_policy() const;

  // Reads the policy as it is now into `policy`, which is the one that the session has, with the names of `accounts`;
  // and follows `log`. Code::bad_policy, and the session keeps what it has; Code::busy where the files change all the
  // time, and errors of prepare(): then check_policy() fails until a call succeeds.
  Result<void> reload(policy::Policy& policy, const policy::Accounts& accounts, audit::Log& log);

 private:
  explicit SessionFiles(FileOpener opener) : opener_(std::move(opener)) {}
  Result<std::vector<policy::PolicyText>> read_policy();

  FileOpener opener_;
};

}  // namespace umlnet
