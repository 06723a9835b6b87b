// From a grant to the changes that carry it out, in order. Pure: it reads the host's state and changes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libumlnet/core/request_id.h"
#include "policy/decide.h"
#include "policy/host_state.h"
#include "uml_net/priv/change.h"

namespace umlnet::priv {

struct Plan {
  std::vector<Change> changes;
  // Whether the changes stand or fall together. Garbage is collected piece by piece: what one helper cannot remove must
  // not keep it from removing the rest.
  bool all_or_nothing = true;
  // What was left undone that the caller may miss, and why; goes with the answer.
  std::vector<std::string> notes;
};

// Only what differs from the host's state is planned, so that taking a plan back leaves the host as it was. An error
// where there is nothing to take back (Code::not_found) or somebody else has it (Code::conflict).
// `group` is the link group of what the grant's session makes, 0 for none.
Result<Plan> make_plan(const policy::Grant& grant, const RequestId& id, const policy::HostState& host,
                       std::uint32_t group = 0);

// Whether the plan makes a device or routes an address: what limits count.
bool adds_to_holdings(const Plan& plan);

}  // namespace umlnet::priv
