// What the program opens while it still has the identity that its installation gives it: before it becomes its caller.
#pragma once

#include <chrono>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "policy/accounts.h"
#include "policy/load.h"
#include "uml_net/recorder/audit_log.h"
#include "uml_net/recorder/file_stamp.h"
#include "uml_net/recorder/refusal_counters.h"

namespace umlnet {

// Each part is there or says why not; which of them a request needs shows later.
struct TrustedInputs {
  Result<std::vector<policy::PolicyText>> policy;  // empty: there is no policy file
  Result<policy::Accounts> accounts;
  Result<audit::Log> log;
  Result<audit::RefusalCounters> refusals;
  Result<unique_fd> tun;                 // /dev/net/tun, not tied to a device yet
  std::chrono::nanoseconds opened_at{};  // boot time, before the first of them
  FileStamp policy_fingerprint;          // of the policy's files and directories
  FileStamp log_fingerprint;             // of the audit log's directory, in which names change when it is rotated
};

// The paths are fixed when the program is built; no environment variable and no argument changes them, and neither
// changes what is opened.
TrustedInputs open_trusted_inputs();

}  // namespace umlnet
