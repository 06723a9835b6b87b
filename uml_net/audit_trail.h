// What one run of the program leaves in the audit log: all of its lines carry the same id and caller.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "policy/decide.h"
#include "uml_net/audit_log.h"
#include "uml_net/audit_record.h"
#include "uml_net/frame_relay.h"
#include "uml_net/priv/execute.h"

namespace umlnet::audit {

SessionSummary summary_of(const FrameCounters& counters, std::string ended, std::uint64_t dropped_by_queue,
                          unsigned addresses_added, unsigned addresses_removed);

class Trail {
 public:
  // `arguments` are recorded, escaped and cut, where `call` could not be understood. `log` is borrowed.
  Trail(Log& log, RequestId id, const policy::Caller& caller, const Call& call,
        std::span<const std::string_view> arguments, std::chrono::steady_clock::time_point started);

  const RequestId& id() const { return id_; }

  // Before the change. Without this line there is no change.
  Result<void> intend(const policy::Grant& grant);
  // After it: done; done but failed; done and taken back, because the caller did not take the reply.
  Result<void> done(const policy::Grant& grant, const priv::Outcome& outcome);
  Result<void> failed(const policy::Grant& grant, const Error& error);
  Result<void> taken_back(const policy::Grant& grant, const Error& reply_error, const std::vector<std::string>& left);
  // Nothing was changed: refused by `rule` (may be empty), or before any rule was asked. `request` is the one of a
  // control record, where it is not the call's own. Of a session's refusals only the first 100 get a line.
  Result<void> refused(const Error& error, const std::string& rule, const std::optional<Request>& request = {});
  // The end of the session that `grant` opened. `undone` is what was taken back, in words.
  Result<void> ended(const policy::Grant& grant, const priv::Outcome& opened, const SessionSummary& session,
                     const std::vector<std::string>& undone, const std::optional<Error>& error);

 private:
  Record record(Event event, Stage stage, const std::optional<Request>& request) const;
  Record granted(const policy::Grant& grant, Event event, Stage stage) const;
  Result<void> add(const Record& record) { return log_.append(to_line(record)); }

  Log& log_;
  RequestId id_;
  policy::Caller caller_;
  const Call& call_;
  std::vector<std::string> untrusted_;
  std::chrono::steady_clock::time_point started_;
  unsigned refusals_ = 0;
};

}  // namespace umlnet::audit
