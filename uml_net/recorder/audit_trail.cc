#include "uml_net/recorder/audit_trail.h"

#include <algorithm>

#include "libumlnet/core/plain_text.h"

namespace umlnet::audit {
namespace {

constexpr std::size_t kLongestArgument = 100;  // bytes
constexpr std::size_t kMostArguments = 64;

bool opens_session(const AuditFacts& facts) {
  return facts.request &&
         (std::holds_alternative<OpenSession>(*facts.request) || std::holds_alternative<OpenEthertap>(*facts.request));
}

}  // namespace

Trail::Trail(Log& log, RefusalCounters& refusals, RequestId id, const policy::Caller& caller, const Call& call,
             std::span<const std::string_view> arguments, std::chrono::steady_clock::time_point started)
    : log_(log), refusals_(refusals), id_(id), caller_(caller), call_(call), started_(started) {
  if (call.request) return;
  for (const auto argument : arguments.first(std::min(arguments.size(), kMostArguments)))
    untrusted_.push_back(escaped(argument, kLongestArgument));
}

std::optional<Request> Trail::own_request() const {
  return call_.request ? std::optional(*call_.request) : std::nullopt;
}

void Trail::copy_to(Result<Journal> journal) {
  if (journal)
    journal_.emplace(*std::move(journal));
  else
    note_journal(journal.error());
}

Result<void> Trail::add(const Record& record) {
  const std::string line = to_line(record);
  if (auto written = log_.append(line); !written) return written;
  if (journal_ && !journal_failed_)
    if (const auto sent = journal_->send(record, line); !sent) note_journal(sent.error());
  return {};
}

// Once a run, and then the journal is left alone: it would be the same for every line.
void Trail::note_journal(const Error& error) {
  journal_failed_ = true;
  Record record = this->record(Event::alert, Stage::result, own_request());
  record.reason = "systemd-journald does not take the lines of this request, this log has them: " + error.line();
  record.errnum = error.errnum;
  if (!refusals_.count_other(caller_.uid, record.time)) return;
  // Where the log does not take this line either, nothing is left to say it to.
  [[maybe_unused]] const auto added = add(record);
}

Result<void> Trail::add_counted(const Record& record) {
  if (!refusals_.count(caller_.uid, record.time)) return {};
  return add_or_count(record);
}

Result<void> Trail::add_or_count(const Record& record) {
  auto added = add(record);
  if (!added) refusals_.count_missing(caller_.uid, record.time);
  return added;
}

void Trail::add_summaries(const Result<policy::Accounts>& accounts) {
  const auto now = std::chrono::system_clock::now();
  for (const auto& [uid, number] : refusals_.take_finished(now)) {
    Record summary{.time = now, .event = Event::reject, .stage = Stage::result, .id = id_, .caller = {}};
    summary.caller.uid = uid;
    if (accounts) summary.caller.user = accounts->name_of(uid);
    summary.is_summary = true;
    summary.reason = std::to_string(number) + " more requests of uid " + std::to_string(uid) +
                     " changed nothing, and have no line of their own";
    summary.suppressed = number;
    if (!add(summary)) refusals_.put_back({uid, number}, now);
  }
}

Record Trail::record(Event event, Stage stage, const std::optional<Request>& request) const {
  Record record{.time = std::chrono::system_clock::now(), .event = event, .stage = stage, .id = id_, .caller = caller_};
  record.protocol = call_.protocol;
  record.operation = request ? request_name(*request) : call_.operation;
  record.request = request;
  if (!request) record.untrusted = untrusted_;
  if (stage == Stage::result)
    record.duration = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                            request_started_.value_or(started_));
  return record;
}

Record Trail::record(Event event, Stage stage, const AuditFacts& facts) const {
  Record record = this->record(event, stage, facts.request);
  record.rule = facts.rule;
  record.reason = facts.reason;
  record.device = facts.device;
  record.ifindex = facts.ifindex;
  record.changes = facts.changes;
  if (facts.error) {
    record.error = facts.error->what;
    record.errnum = facts.error->errnum;
  }
  return record;
}

Result<void> Trail::intend(const AuditFacts& facts) {
  const Record intent = record(Event::accept, Stage::intent, facts);
  if (caller_.uid == 0 || refusals_.count_change(caller_.uid, intent.time)) {
    auto added = add_or_count(intent);
    if (added) intended_ = facts;
    return added;
  }
  auto busy = fail(Code::busy,
                   "uid " + std::to_string(caller_.uid) + " makes too many changes: after the first " +
                       std::to_string(RefusalCounters::kChanges) + ", " +
                       std::to_string(RefusalCounters::kChangesPerSecond) + " a second are granted",
                   "Try again in a second.");
  [[maybe_unused]] const auto recorded = refused({.request = facts.request, .rule = facts.rule, .error = busy.error()});
  return busy;
}

void Trail::settle(const AuditFacts& facts) {
  changed_ += intended_ ? 1 : 0;
  intended_.reset();
  if (opens_session(facts)) session_ = facts;
}

Result<void> Trail::done(const AuditFacts& facts) {
  settle(facts);
  return add(record(Event::accept, Stage::result, facts));
}

Result<void> Trail::failed(const AuditFacts& facts) {
  intended_.reset();
  return add(record(Event::reject, Stage::result, facts));
}

Result<void> Trail::rolled_back(const AuditFacts& facts) {
  intended_.reset();
  if (opens_session(facts)) session_.reset();
  return add(record(Event::exit, Stage::result, facts));
}

void Trail::close(bool was_killed) {
  const auto end = [&](const std::optional<AuditFacts>& facts, const std::string& error) {
    if (!facts) return;
    Record unfinished = record(Event::exit, Stage::result, *facts);
    unfinished.error = error;
    unfinished.is_unfinished = true;
    // Where the log does not take it, nobody is left to hear of that.
    [[maybe_unused]] const auto added = changed_ == 0 ? add_counted(unfinished) : add(unfinished);
  };
  const std::string how = was_killed ? "uml_net was killed" : "uml_net ended";
  changed_ += intended_ ? 1 : 0;
  end(intended_, how + " before it could say whether this was done; what was made stays as long as somebody holds it");
  request_started_.reset();
  end(session_, how + ", and the session with it; its devices stay as long as somebody holds them");
}

Record Trail::without_change(Event event, const Error& error, const std::optional<Request>& request) const {
  Record record = this->record(event, Stage::result, request);
  record.reason = error.what;
  record.errnum = error.errnum;
  return record;
}

Result<void> Trail::refused(const AuditFacts& facts) {
  const Error error = facts.error.value_or(Error());
  Record record = without_change(error.code == Code::bad_policy ? Event::alert : Event::reject, error,
                                 facts.request ? facts.request : own_request());
  record.rule = facts.rule;
  return add_counted(record);
}

Result<void> Trail::unchanged(const AuditFacts& facts) {
  settle(facts);
  return add_counted(record(Event::accept, Stage::result, facts));
}

Result<void> Trail::reloaded(const AuditFacts& facts) {
  const Error none{Code::bug, 0, "the session has the policy as it is now", {}};
  Record record = without_change(!facts.error                            ? Event::accept
                                 : facts.error->code == Code::bad_policy ? Event::alert
                                                                         : Event::reject,
                                 facts.error.value_or(none), std::nullopt);
  record.operation = "reload";
  return add_counted(record);
}

Result<void> Trail::not_understood(const AuditFacts& facts) {
  Record refused = without_change(Event::reject, facts.error.value_or(Error()), std::nullopt);
  refused.operation = {};
  std::string_view record = facts.record;
  while (!record.empty() && refused.untrusted.size() < kMostArguments) {
    const auto end = std::min(record.find('\0'), record.size());
    refused.untrusted.push_back(escaped(record.substr(0, end), kLongestArgument));
    record.remove_prefix(std::min(end + 1, record.size()));
  }
  return add_counted(refused);
}

Result<void> Trail::ended(const AuditFacts& facts) {
  session_.reset();
  request_started_.reset();
  Record record = this->record(Event::exit, Stage::result, facts);
  record.ended = facts.ended;
  record.session = facts.session;
  record.native_session = facts.native_session;
  if (const auto& native = facts.native_session; native && native->opened + native->removed == 0)
    if (!refusals_.count(caller_.uid, record.time)) return {};
  record.suppressed = refusals_.take(caller_.uid);
  auto added = add(record);
  if (!added && record.suppressed != 0)
    refusals_.put_back({caller_.uid, static_cast<unsigned>(record.suppressed)}, record.time);
  return added;
}

}  // namespace umlnet::audit
