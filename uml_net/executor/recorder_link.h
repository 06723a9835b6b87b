// The executor's end of the conversation with the recorder (channel/recorder_message.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/call.h"
#include "libumlnet/core/request_id.h"
#include "policy/decide.h"
#include "policy/loader/accounts.h"
#include "policy/loader/load.h"
#include "policy/policy.h"
#include "uml_net/channel/recorder_message.h"
#include "uml_net/priv/execute.h"
#include "uml_net/worker/worker.h"

namespace umlnet {

class RecorderLink {
 public:
  RecorderLink(Worker process, const RequestId& id) : process_(std::move(process)), id_(id) {}

  const RequestId& id() const { return id_; }

  // Says what the call is. An error where there is no audit log, and where the recorder is gone: then nothing is to be
  // granted, and nothing more asked.
  Result<void> begin(const Call& call, bool is_for_journald);

  // A session takes its next request: durations count from here. Where it `can_reload`, a changed policy is
  // Code::policy_changed. An error where the recorder is gone.
  Result<void> begin_request(bool can_reload);

  // While it lives, no other request of this uid is decided.
  class Turn {
   public:
    Turn(Turn&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (link_ != nullptr) link_->tell(Asks::end_turn);
    }

   private:
    friend RecorderLink;
    explicit Turn(RecorderLink* link) : link_(link) {}
    RecorderLink* link_;  // nullptr: it holds nobody up
  };
  // Waits, for some seconds at the most, for other requests of the caller's uid where it `is_exclusive` (Code::busy);
  // and check().
  Result<Turn> take_turn(bool is_exclusive);
  // Code::audit where there is no audit log any more; Code::busy or Code::policy_changed where the policy is not the
  // one that was read.
  Result<void> check();
  // For a line that is written whether or not a new log can be had: where not, to the one that there is.
  void follow_log();
  // Whether it was so at the last look.
  bool policy_has_changed() const { return policy_has_changed_; }
  // Reads the policy as it is now into `policy`, with the names of `accounts`, from files that must be root's, whatever
  // the recorder hands over. Code::bad_policy, and `policy` stays what it is; Code::busy where the files change all the
  // time.
  Result<void> reload(policy::Policy& policy, const policy::Accounts& accounts);

  // Of a session: so many more than are wanted does open_tuns() open, for the requests to come.
  static constexpr unsigned kAhead = 4;
  // Adds to `tuns`, which are open on /dev/net/tun and not tied to a device, until they are `wanted`.
  Result<void> open_tuns(std::vector<unique_fd>& tuns, unsigned wanted);

  // Lines of the audit log. Before a change, without which there is none: it is also what check() is. Code::busy where
  // the caller makes too many changes. An error is on record, if anything is.
  Result<void> intend(const policy::Grant& grant);
  // After it: done; failed; done and taken back, because the caller did not take the reply. `taken` is what was taken
  // back, and what could not be, in words.
  Result<void> done(const policy::Grant& grant, const priv::Outcome& outcome);
  Result<void> failed(const policy::Grant& grant, const Error& error, const std::vector<std::string>& taken);
  Result<void> rolled_back(const policy::Grant& grant, const Error& reply_error, const std::vector<std::string>& taken);
  // Nothing was changed. `request` is the one of a session's record, where it is not the call's own.
  Result<void> refused(const Error& error, const std::string& rule, const std::optional<Request>& request = {});
  Result<void> unchanged(const policy::Grant& grant, const priv::Outcome& outcome);
  Result<void> reloaded(const Result<void>& outcome);
  Result<void> not_understood(const Error& error, std::string_view record);
  // The end of the session that `grant` opened: the summary and what was taken back are in `facts`.
  Result<void> ended(const policy::Grant& grant, AuditFacts facts);

  // Ends the recorder, which has nothing left to do, and waits for that.
  void end();

 private:
  struct Answered {
    RecorderAnswer answer;
    std::vector<unique_fd> fds;
  };
  Result<Answered> ask(const RecorderQuestion& question);
  Result<void> say(const RecorderQuestion& question);
  Result<void> record(Asks what, AuditFacts facts) { return say({.what = what, .facts = std::move(facts)}); }
  Result<std::vector<policy::PolicyText>> read_policy();
  Result<void> remember(const std::vector<policy::PolicyText>& texts);
  void tell(Asks what);

  Worker process_;
  RequestId id_;
  bool policy_has_changed_ = false;
};

}  // namespace umlnet
