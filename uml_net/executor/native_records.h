// The rest of a session of the native protocol: each record takes the way of a request of its own.
#pragma once

#include <vector>

#include "libumlnet/core/unique_fd.h"
#include "policy/decide.h"
#include "uml_net/executor/native_session.h"
#include "uml_net/executor/run_request.h"
#include "uml_net/executor/session_inputs.h"
#include "uml_net/priv/kernel_effects.h"

namespace umlnet {

// Serves it to its end, and puts that on record. `tuns` are those that are open for the next request, and what
// `tun_source` takes from. The result is the exit status.
int hold_native_session(const policy::Grant& opened, NativeSession& session, SessionInputs inputs,
                        std::vector<unique_fd>& tuns, const priv::TunSource& tun_source, const RequestContext& context);

}  // namespace umlnet
