// A plan carried out: the only way to change the host.
#pragma once

#include <expected>
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

// Why a plan was not carried out. No Error alone: what was done of it is still to be taken back, and is owned here.
struct Failure {
  Error error;
  Outcome done = {};
  bool has_expired = false;  // nothing was done, because the decision is too old: decide again
};

// Carries out `plan` up to the first change that fails: the error says which it was (Code::kernel, or conflict where
// somebody else was quicker; Code::no_answer where it may have been made, and then it is among what is to be taken
// back). A plan is not carried out any further once it has expired (Code::busy). Changes that outlive this process are
// left for complete(). Needs CAP_NET_ADMIN in effect where anything is to be changed.
std::expected<Outcome, Failure> execute(const Plan& plan, HostEffects& effects);

// The changes that outlive this process and all who hold the device. They wait until the caller has taken the answer,
// so that a helper that is killed before that leaves no device that nobody has heard of. To be called then. After an
// error `outcome` is still to be taken back. Needs CAP_NET_ADMIN in effect where `remaining` is not empty.
Result<void> complete(Outcome& outcome, HostEffects& effects);

// What was taken back, and what could not be: in words, in the order in which it was done. What is left is found by its
// tag at the next request.
struct RolledBack {
  std::vector<std::string> done;
  std::vector<std::string> failures;
  std::vector<std::string> words() const;  // both, for the audit log
};

// Whether somebody else may hold a new TAP's fd: then closing it does not end the device, and it is deleted.
enum class Handed : bool { no, maybe };

// Takes back what was done, last change first, as far as nobody else needs it by now: `now` is the host's state, read
// after the last of the changes. Nullptr where that cannot be read, or once it is too old: then settings of devices and
// proxy entries stay as they are, since another guest may rest on them; what is garbage the next request removes. Needs
// CAP_NET_ADMIN in effect.
RolledBack rollback(Outcome outcome, const policy::HostState* now, HostEffects& effects, Handed handed = Handed::no);

}  // namespace umlnet::priv
