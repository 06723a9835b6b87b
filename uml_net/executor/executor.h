// The executor: the process that decides and changes the host. It alone keeps CAP_NET_ADMIN. It reads no word of the
// caller's: what the caller asks for it hears from the front, in a fixed number of bytes.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "policy/caller.h"
#include "uml_net/executor/front_link.h"
#include "uml_net/recorder/session_files.h"
#include "uml_net/startup/peek.h"
#include "uml_net/startup/trusted_inputs.h"
#include "uml_net/worker/announcer.h"

namespace umlnet {

// What was made with the identity of the installation, and when.
struct Startup {
  Peek peeked;
  unique_fd named;  // the descriptor that the call names, where the executor is to use it
  TrustedInputs inputs;
  std::optional<Result<SessionFiles>> roots;
  std::optional<Announcer> announcer;
  Result<policy::Caller> caller;
  std::span<const std::string_view> arguments;  // for the audit log, which escapes them
  std::chrono::steady_clock::time_point started;
};

// Serves the call to its end. The result is the exit status.
int execute_call(Startup& startup, FrontLink& front);

}  // namespace umlnet
