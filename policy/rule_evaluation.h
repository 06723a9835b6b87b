// What each rule says to one request.
#pragma once

#include <string>
#include <vector>

#include "libumlnet/core/request.h"
#include "policy/caller.h"
#include "policy/host_state.h"
#include "policy/policy.h"

namespace umlnet::policy {

// What one rule says to one request. Of the allow rules that lack something, a later one in this list comes nearer.
enum class RuleVerdict {
  nothing,         // it speaks of other callers
  does_not_match,  // a deny rule that lets this request pass
  lacks_operation,
  lacks_value,
  lacks_room,  // a limit is reached
  grants,
  denies,
};

struct RuleEvaluation {
  RuleVerdict says;
  std::string why;  // lacks_value, lacks_room: goes on from "rule NAME allows this but for"; does_not_match: why not
};

// The answer of each rule, in the order of the rules. decide() rests on the same answers; here they are for a person
// who wants to know what every rule made of a request. No rule speaks of RemoveInterface and CollectGarbage.
std::vector<RuleEvaluation> answers_of(const Policy& policy, const Caller& caller, const Request& request,
                                       const HostState& host);

}  // namespace umlnet::policy
