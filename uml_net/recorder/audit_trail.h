// What one run of the program leaves in the audit log: all of its lines carry the same id and caller.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "policy/loader/accounts.h"
#include "uml_net/recorder/audit_log.h"
#include "uml_net/recorder/audit_record.h"
#include "uml_net/recorder/journal.h"
#include "uml_net/recorder/refusal_counters.h"

namespace umlnet::audit {

class Trail {
 public:
  // `arguments` are recorded, escaped and cut, where `call` could not be understood. `log` and `refusals` are borrowed.
  Trail(Log& log, RefusalCounters& refusals, RequestId id, const policy::Caller& caller, const Call& call,
        std::span<const std::string_view> arguments, std::chrono::steady_clock::time_point started);

  // A session takes its next request: durations count from here.
  void begin_request() { request_started_ = std::chrono::steady_clock::now(); }

  // From here on each line goes to `journal`, too. Where it cannot, one line of the log says so, and no more: the log
  // is the record.
  void copy_to(Result<Journal> journal);

  // One line for each uid of which refused requests got no line of their own, in windows of time that are over.
  // `accounts` has their names, where it could be read.
  void add_summaries(const Result<policy::Accounts>& accounts);

  // Before the change. Without this line there is no change. Code::busy, and a line that says so, where the caller,
  // which is not root, makes more changes than its rate allows.
  Result<void> intend(const AuditFacts& facts);
  // After it: done; failed; done and taken back, because the caller did not take the reply. The changes are what was
  // done, or what was taken back and what could not be, in words.
  Result<void> done(const AuditFacts& facts);
  Result<void> failed(const AuditFacts& facts);
  Result<void> rolled_back(const AuditFacts& facts);

  // Nothing was changed: refused by a rule, or before any rule was asked; or granted, and all was there already. Of a
  // flood of these of one uid only the first get a line.
  Result<void> refused(const AuditFacts& facts);
  Result<void> unchanged(const AuditFacts& facts);
  // A session took a new policy; or did not, for an error.
  Result<void> reloaded(const AuditFacts& facts);
  // A session's record that was not understood; its words are recorded, escaped and cut.
  Result<void> not_understood(const AuditFacts& facts);

  // The end of a session. The changes are what was taken back. A session of the native protocol that changed nothing is
  // counted as such a request is.
  Result<void> ended(const AuditFacts& facts);

  // The process that makes changes is gone, killed where it `was_killed`: writes the lines that it owes, after an
  // intent and at the end of a session.
  void close(bool was_killed);

 private:
  Record record(Event event, Stage stage, const std::optional<Request>& request) const;
  Record record(Event event, Stage stage, const AuditFacts& facts) const;
  Record without_change(Event event, const Error& error, const std::optional<Request>& request) const;
  std::optional<Request> own_request() const;
  // A request was granted.
  void settle(const AuditFacts& facts);
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
  // What was intended, and has no result yet; the session that goes on, and what it changed.
  std::optional<AuditFacts> intended_, session_;
  unsigned changed_ = 0;
};

}  // namespace umlnet::audit
