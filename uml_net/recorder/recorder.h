// The recorder: the process with the file access of the installation, and without any capability. It alone writes the
// audit log, and counts; it sees whether the policy has changed, and opens /dev/net/tun for a session. The executor
// makes no change before it has confirmed the intent.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/request_id.h"
#include "policy/caller.h"
#include "policy/loader/accounts.h"
#include "policy/loader/load.h"
#include "uml_net/worker/worker.h"

namespace umlnet {

// What it knows from the start, and nobody can tell it otherwise. It is borrowed until start_recorder() returns; the
// process has a copy.
struct RecorderInputs {
  const policy::Caller& caller;  // as the kernel says
  const RequestId& id;
  std::span<const std::string_view> arguments;            // of the call, for the log, which escapes them
  std::chrono::steady_clock::time_point started;          // of the call
  const Result<policy::Accounts>& accounts;               // for the names of other uids
  const Result<std::vector<policy::PolicyText>>& policy;  // that the executor decides by
  std::chrono::nanoseconds policy_read_at;                // boot time
  bool is_lasting;                                        // the call may last: it looks at the files each time
  bool opens_tun;                                         // for a session of several requests, or several queues
};

// Starts it, with the identity that this process has: to be called before the caller's identity is taken. Where that is
// root's, the caller can neither end nor stop it. It answers as channel/recorder_message.h says. Code::kernel where
// there is no process to be had.
Result<Worker> start_recorder(const RecorderInputs& inputs);

}  // namespace umlnet
