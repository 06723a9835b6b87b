// The executor: the process that decides and changes the host. It alone keeps CAP_NET_ADMIN. It reads no word of the
// caller's: what the caller asks for it hears from the front, in a fixed number of bytes.
#pragma once

#include <optional>

#include "policy/caller.h"
#include "uml_net/executor/front_link.h"
#include "uml_net/executor/recorder_link.h"
#include "uml_net/startup/peek.h"
#include "uml_net/startup/trusted_inputs.h"
#include "uml_net/worker/announcer.h"

namespace umlnet {

// What was made with the identity of the installation.
struct Startup {
  Peek peeked;
  unique_fd named;  // the descriptor that the call names, where the executor is to use it
  TrustedInputs inputs;
  Result<unique_fd> tun;
  policy::Caller caller;
  std::optional<Announcer> announcer;
};

// Serves the call to its end. The result is the exit status.
int execute_call(Startup& startup, FrontLink& front, RecorderLink& recorder);

}  // namespace umlnet
