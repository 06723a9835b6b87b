// From a grant to the changes that carry it out, in order. Pure: it reads the host's state and changes nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libumlnet/core/request_id.h"
#include "policy/decide.h"
#include "policy/host_state.h"
#include "uml_net/priv/change.h"

namespace umlnet::priv {

// A decision lasts so long from the moment at which the host's state began to be read. A process that is stopped in
// between decides anew.
inline constexpr std::chrono::milliseconds kDecisionLasts{900};

// What a plan is put together from. By itself it is worth nothing: only a Plan is carried out.
struct Steps {
  std::vector<Change> changes;
  bool all_or_nothing = true;
  std::vector<std::string> notes;
};

// The changes that carry out one grant, and that grant: execute() takes nothing else, and only the functions below make
// one.
class Plan {
 public:
  const policy::Grant& grant() const { return grant_; }
  const std::vector<Change>& changes() const { return steps_.changes; }
  // Whether the changes stand or fall together. Garbage is collected piece by piece: what one helper cannot remove must
  // not keep it from removing the rest.
  bool all_or_nothing() const { return steps_.all_or_nothing; }
  // What was left undone that the caller may miss, and why; goes with the answer.
  const std::vector<std::string>& notes() const { return steps_.notes; }
  // The device that an address change or a removal names; index 0 for other requests.
  const Device& device() const { return device_; }

  // Whether the decision has expired (kDecisionLasts), by CLOCK_BOOTTIME.
  bool has_expired() const;

 private:
  friend class Planner;
  Plan(policy::Grant grant, Steps steps, Device device, std::chrono::nanoseconds expires)
      : grant_(std::move(grant)), steps_(std::move(steps)), device_(std::move(device)), expires_(expires) {}

  policy::Grant grant_;
  Steps steps_;
  Device device_;
  std::chrono::nanoseconds expires_;  // boot time
};

// Only what differs from the host's state is planned, so that taking a plan back leaves the host as it was. An error
// where there is nothing to take back (Code::not_found) or somebody else has it (Code::conflict).
// `group` is the link group of what the grant's session makes, 0 for none.
Result<Plan> make_plan(const policy::Grant& grant, const RequestId& id, const policy::HostState& host,
                       std::uint32_t group = 0);

// The link group of what the session `id` makes: a number of its own, in the upper half, where people choose none.
std::uint32_t session_group(const RequestId& id);

// Deletes every device of the session `id` that `session` granted, also where others hold their fds: those of its link
// group, which no other device is in. It does not expire. Code::bug where `session` is no grant of a session.
Result<Plan> plan_session_end(const policy::Grant& session, const RequestId& id);

}  // namespace umlnet::priv
