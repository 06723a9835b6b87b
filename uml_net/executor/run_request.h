// One request, from the state of the host to the change, its answer and its record:
//
//   decide(policy, caller, request, host) -> Grant -> Plan -> execute -> Outcome -> look again -> reply, audit log
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/request.h"
#include "policy/decide.h"
#include "uml_net/executor/front_link.h"
#include "uml_net/executor/recorder_link.h"
#include "uml_net/priv/execute.h"
#include "uml_net/priv/rtnetlink_socket.h"
#include "uml_net/worker/announcer.h"
#include "uml_net/worker/caller_worker.h"

namespace umlnet {

// What every request of this process shares. All is borrowed.
struct RequestContext {
  const policy::Policy& policy;
  const policy::Caller& caller;
  priv::RtnetlinkSocket& socket;
  priv::HostEffects& effects;
  FrontLink& front;
  RecorderLink& recorder;
  std::optional<CallerWorker>& caller_worker;
  std::uint32_t group = 0;               // the link group of the session's devices
  const Announcer* announcer = nullptr;  // nullptr where nothing can be announced on the LANs of `socket`
};

struct GrantedRequest {
  policy::Grant grant;
  priv::Outcome outcome;
  bool is_recorded;  // nothing was to be done, and that is on record
};

// Decides and carries out `request`. What guests that are gone left behind is removed first. A refusal is on record
// when this returns; what came of a grant is for the caller of this function to record, who knows whether the reply was
// taken.
Result<GrantedRequest> run_request(const Request& request, const RequestContext& context);

// Puts on record that the request was carried out, unless that is so already.
Result<void> record_done(const GrantedRequest& done, const RequestContext& context);

// Answers a request that was carried out. Where the caller does not take the answer, what was added or made is taken
// back, and that is on record; what was removed stays removed.
Result<void> deliver_reply(const Request& request, GrantedRequest& done, const RequestContext& context);

// Restores what guests lost by a change of the network, and removes what is left of those that are gone: as each
// request does before it is decided. False where it is to be tried again in a moment; other errors are for the next
// request.
bool restore_lost(const RequestContext& context);

// Removes what devices that are gone left on others. In words, for the record of the session that ends.
std::vector<std::string> collect_leavings(const RequestContext& context);

}  // namespace umlnet
