#include "uml_net/recorder/audit_trail.h"

#include <algorithm>

#include "libumlnet/core/plain_text.h"

namespace umlnet::audit {
namespace {

constexpr std::size_t kLongestArgument = 100;  // bytes
constexpr std::size_t kMostArguments = 64;

void put_error(Record& record, const Error& error) {
  record.error = error.what;
  record.errnum = error.errnum;
}

}  // namespace

SessionSummary summary_of(const FrameCounters& counters, std::string ended, std::uint64_t dropped_by_queue,
                          unsigned addresses_added, unsigned addresses_removed) {
  const auto direction = [](const FrameCounters::Direction& from) {
    return SessionSummary::Direction{from.frames, from.bytes, from.too_long, from.too_short};
  };
  return {.ended = std::move(ended),
          .to_guest = direction(counters.to_guest),
          .to_host = direction(counters.to_host),
          .dropped_by_queue = dropped_by_queue,
          .refused_by_host = counters.refused_by_host,
          .addresses_added = addresses_added,
          .addresses_removed = addresses_removed};
}

Trail::Trail(Log& log, RefusalCounters& refusals, RequestId id, const policy::Caller& caller, const Call& call,
             std::span<const std::string_view> arguments, std::chrono::steady_clock::time_point started)
    : log_(log), refusals_(refusals), id_(id), caller_(caller), call_(call), started_(started) {
  if (call.request) return;
  for (const auto argument : arguments.first(std::min(arguments.size(), kMostArguments)))
    untrusted_.push_back(escaped(argument, kLongestArgument));
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
  Record record =
      this->record(Event::alert, Stage::result, call_.request ? std::optional(*call_.request) : std::nullopt);
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

void Trail::add_summaries(const policy::Accounts* accounts) {
  const auto now = std::chrono::system_clock::now();
  for (const auto& [uid, number] : refusals_.take_finished(now)) {
    Record summary{.time = now, .event = Event::reject, .stage = Stage::result, .id = id_, .caller = {}};
    summary.caller.uid = uid;
    if (accounts != nullptr) summary.caller.user = accounts->name_of(uid);
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

Record Trail::granted(const policy::Grant& grant, Event event, Stage stage) const {
  Record record = this->record(event, stage, grant.request());
  record.rule = grant.rule();
  record.reason = grant.reason();
  return record;
}

Result<void> Trail::intend(const policy::Grant& grant) {
  const Record intent = granted(grant, Event::accept, Stage::intent);
  if (caller_.uid == 0 || refusals_.count_change(caller_.uid, intent.time)) return add_or_count(intent);
  auto busy = fail(Code::busy,
                   "uid " + std::to_string(caller_.uid) + " makes too many changes: after the first " +
                       std::to_string(RefusalCounters::kChanges) + ", " +
                       std::to_string(RefusalCounters::kChangesPerSecond) + " a second are granted",
                   "Try again in a second.");
  [[maybe_unused]] const auto recorded = refused(busy.error(), grant.rule(), grant.request());
  return busy;
}

Result<void> Trail::done(const policy::Grant& grant, const priv::Outcome& outcome) {
  Record record = granted(grant, Event::accept, Stage::result);
  record.device = outcome.device.name;
  record.ifindex = outcome.device.ifindex;
  record.changes = outcome.words;
  return add(record);
}

Result<void> Trail::failed(const policy::Grant& grant, const Error& error, const std::vector<std::string>& taken) {
  Record record = granted(grant, Event::reject, Stage::result);
  put_error(record, error);
  record.changes = taken;
  return add(record);
}

Result<void> Trail::rolled_back(const policy::Grant& grant, const Error& reply_error,
                                const std::vector<std::string>& taken) {
  Record record = granted(grant, Event::exit, Stage::result);
  put_error(record, reply_error);
  record.changes = taken;
  return add(record);
}

Result<void> Trail::refused(const Error& error, const std::string& rule, const std::optional<Request>& request) {
  const std::optional<Request> own = call_.request ? std::optional(*call_.request) : std::nullopt;
  Record record = this->record(error.code == Code::bad_policy ? Event::alert : Event::reject, Stage::result,
                               request ? request : own);
  record.rule = rule;
  record.reason = error.what;
  record.errnum = error.errnum;
  return add_counted(record);
}

Result<void> Trail::unchanged(const policy::Grant& grant, const priv::Outcome& outcome) {
  Record record = granted(grant, Event::accept, Stage::result);
  record.device = outcome.device.name;
  record.ifindex = outcome.device.ifindex;
  return add_counted(record);
}

Result<void> Trail::reloaded(const Result<void>& outcome) {
  Record record = this->record(outcome                                    ? Event::accept
                               : outcome.error().code == Code::bad_policy ? Event::alert
                                                                          : Event::reject,
                               Stage::result, std::nullopt);
  record.operation = "reload";
  record.reason = outcome ? "the session has the policy as it is now" : outcome.error().what;
  if (!outcome) record.errnum = outcome.error().errnum;
  return add_counted(record);
}

Result<void> Trail::not_understood(const Error& error, std::string_view record) {
  Record refused = this->record(Event::reject, Stage::result, std::nullopt);
  refused.operation = {};
  refused.reason = error.what;
  refused.errnum = error.errnum;
  while (!record.empty() && refused.untrusted.size() < kMostArguments) {
    const auto end = std::min(record.find('\0'), record.size());
    refused.untrusted.push_back(escaped(record.substr(0, end), kLongestArgument));
    record.remove_prefix(std::min(end + 1, record.size()));
  }
  return add_counted(refused);
}

Result<void> Trail::ended(const policy::Grant& grant, const priv::Outcome& opened, const SessionSummary& session,
                          const std::vector<std::string>& undone, const std::optional<Error>& error) {
  Record record = granted(grant, Event::exit, Stage::result);
  record.device = opened.device.name;
  record.ifindex = opened.device.ifindex;
  record.session = session;
  return add_ended(std::move(record), undone, error);
}

Result<void> Trail::ended(const policy::Grant& grant, const NativeSessionSummary& session,
                          const std::vector<std::string>& undone, const std::optional<Error>& error) {
  request_started_.reset();
  Record record = granted(grant, Event::exit, Stage::result);
  record.native_session = session;
  if (session.opened + session.removed == 0 && !refusals_.count(caller_.uid, record.time)) return {};
  return add_ended(std::move(record), undone, error);
}

Result<void> Trail::add_ended(Record record, const std::vector<std::string>& undone,
                              const std::optional<Error>& error) {
  record.changes = undone;
  record.suppressed = refusals_.take(caller_.uid);
  if (error) put_error(record, *error);
  auto added = add(record);
  if (!added && record.suppressed != 0)
    refusals_.put_back({caller_.uid, static_cast<unsigned>(record.suppressed)}, record.time);
  return added;
}

}  // namespace umlnet::audit
