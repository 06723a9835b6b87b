// The rest of an ethertap session: each control record takes the way of a request of its own.
#pragma once

#include "uml_net/executor/ethertap_session.h"
#include "uml_net/executor/run_request.h"
#include "uml_net/executor/session_inputs.h"

namespace umlnet {

// Serves it to its end, and puts that on record. The result is the exit status.
int hold_ethertap_session(EthertapSession& session, GrantedRequest& opened, SessionInputs inputs,
                          const RequestContext& context);

}  // namespace umlnet
