// A grant carried out: the only way to change the host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/decide.h"
#include "policy/host_state.h"
#include "uml_net/priv/change.h"
#include "uml_net/priv/host_effects.h"
#include "uml_net/priv/plan.h"

namespace umlnet::priv {

// What was done. `tap` is there where the request made a TAP, and owns its fd.
struct Outcome {
  std::optional<NewTap> tap;
  Device device;                         // that was made or changed; index 0 where the request names none
  std::vector<std::string> notes;        // what was left undone that the caller may miss, and why
  std::vector<Change> changes;           // in the order in which they were made
  std::vector<std::string> words;        // the same, for the audit log
  std::string text;                      // for the caller: plain lines, each ending in newline
  std::optional<unique_fd> sealed = {};  // the caller's end of the socket, where it gets no fd of the device
  std::vector<Change> remaining = {};    // for complete()

  Outcome() = default;
  Outcome(Outcome&&) = default;
  Outcome& operator=(Outcome&&) = default;
};

// Carries out `plan`, which make_plan() made for `grant` and `host`. All or nothing: where a change fails, those before
// it are taken back and the error says which failed (Code::kernel, or conflict where somebody else was quicker). So is
// one that may have been made (Code::no_answer). What is to outlive this process is left for complete(). Needs
// CAP_NET_ADMIN in effect where anything is to be changed.
Result<Outcome> execute(const policy::Grant& grant, const Plan& plan, const policy::HostState& host,
                        HostEffects& effects);

// The changes that outlive this process and all who hold the device. They wait until the caller has taken the answer,
// so that a helper that is killed before that leaves no device that nobody has heard of. To be called then. After an
// error `outcome` is still to be taken back. Needs CAP_NET_ADMIN in effect where `remaining` is not empty.
Result<void> complete(Outcome& outcome, HostEffects& effects);

// Takes back what was done, last change first, for a caller that did not take the reply. What cannot be taken back is
// said in the result, one line each; it is found by its tag at the next request.
std::vector<std::string> take_back(Outcome outcome, HostEffects& effects);

// Deletes every device of a session that ends, whoever holds its fds: those of the link group `group`, which no other
// device is in. Needs CAP_NET_ADMIN in effect.
Result<void> take_back_group(std::uint32_t group, HostEffects& effects);

}  // namespace umlnet::priv
