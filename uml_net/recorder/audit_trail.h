// What one run of the program leaves in the audit log: all of its lines carry the same id and caller.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "policy/accounts.h"
#include "policy/decide.h"
#include "uml_net/priv/execute.h"
#include "uml_net/recorder/audit_log.h"
#include "uml_net/recorder/audit_record.h"
#include "uml_net/recorder/journal.h"
#include "uml_net/recorder/refusal_counters.h"
#include "uml_net/worker/frame_relay.h"

namespace umlnet::audit {

SessionSummary summary_of(const FrameCounters& counters, std::string ended, std::uint64_t dropped_by_queue,
                          unsigned addresses_added, unsigned addresses_removed);

class Trail {
 public:
  // `arguments` are recorded, escaped and cut, where `call` could not be understood. `log` and `refusals` are borrowed.
  Trail(Log& log, RefusalCounters& refusals, RequestId id, const policy::Caller& caller, const Call& call,
        std::span<const std::string_view> arguments, std::chrono::steady_clock::time_point started);

  const RequestId& id() const { return id_; }

  // A session takes its next request: durations count from here.
  void begin_request() { request_started_ = std::chrono::steady_clock::now(); }

  // From here on each line goes to `journal`, too. Where it cannot, one line of the log says so, and no more: the log
  // is the record.
  void copy_to(Result<Journal> journal);
  int journal_fd() const { return journal_ ? journal_->fd() : -1; }  // -1: none

  // One line for each uid of which refused requests got no line of their own, in windows of time that are over.
  // `accounts` has their names; it may be null.
  void add_summaries(const policy::Accounts* accounts);

  // Before the change. Without this line there is no change. Code::busy, and a line that says so, where the caller,
  // which is not root, makes more changes than its rate allows.
  Result<void> intend(const policy::Grant& grant);
  // After it: done; failed; done and taken back, because the caller did not take the reply. `taken` is what was taken
  // back, and what could not be, in words.
  Result<void> done(const policy::Grant& grant, const priv::Outcome& outcome);
  Result<void> failed(const policy::Grant& grant, const Error& error, const std::vector<std::string>& taken = {});
  Result<void> rolled_back(const policy::Grant& grant, const Error& reply_error, const std::vector<std::string>& taken);

  // Nothing was changed: refused by `rule` (may be empty), or before any rule was asked; or granted, and all was there
  // already. `request` is the one of a control record, where it is not the call's own. Of a flood of these of one uid
  // only the first get a line.
  Result<void> refused(const Error& error, const std::string& rule, const std::optional<Request>& request = {});
  Result<void> unchanged(const policy::Grant& grant, const priv::Outcome& outcome);
  // A session took a new policy, or did not.
  Result<void> reloaded(const Result<void>& outcome);
  // A session's record that was not understood; its words are recorded, escaped and cut.
  Result<void> not_understood(const Error& error, std::string_view record);

  // The end of the session that `grant` opened. `undone` is what was taken back, in words. A session that changed
  // nothing is counted as such a request is.
  Result<void> ended(const policy::Grant& grant, const priv::Outcome& opened, const SessionSummary& session,
                     const std::vector<std::string>& undone, const std::optional<Error>& error);
  Result<void> ended(const policy::Grant& grant, const NativeSessionSummary& session,
                     const std::vector<std::string>& undone, const std::optional<Error>& error);

 private:
  Record record(Event event, Stage stage, const std::optional<Request>& request) const;
  Record granted(const policy::Grant& grant, Event event, Stage stage) const;
  Result<void> add_ended(Record record, const std::vector<std::string>& undone, const std::optional<Error>& error);
  // A line about a request that changed nothing, if it gets one.
  Result<void> add_counted(const Record& record);
  // A line that is counted where it cannot be written.
  Result<void> add_or_count(const Record& record);
  Result<void> add(const Record& record);
  void note_journal(const Error& error);

  Log& log_;
  RefusalCounters& refusals_;
  std::optional<Journal> journal_;
  bool journal_failed_ = false;
  RequestId id_;
  policy::Caller caller_;
  const Call& call_;
  std::vector<std::string> untrusted_;
  std::chrono::steady_clock::time_point started_;
  std::optional<std::chrono::steady_clock::time_point> request_started_;
};

}  // namespace umlnet::audit
