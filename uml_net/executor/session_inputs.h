// The files that a session goes on using.
#pragma once

#include "libumlnet/core/error.h"
#include "policy/accounts.h"
#include "policy/policy.h"
#include "uml_net/recorder/audit_log.h"
#include "uml_net/recorder/session_files.h"

namespace umlnet {

struct SessionInputs {
  SessionFiles& roots;
  audit::Log& log;
  policy::Policy& policy;  // that of the RequestContext
  const policy::Accounts& accounts;

  // For a line that is written whether or not a new log can be had: where not, to the one that the session has.
  void follow_log() { [[maybe_unused]] const auto followed = roots.follow(log); }
  Result<void> reload() { return roots.reload(policy, accounts, log); }
};

}  // namespace umlnet
