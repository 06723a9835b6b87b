#include "uml_net/executor/recorder_link.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "policy/files/policy_files.h"
#include "policy/loader/load.h"

namespace umlnet {
namespace {

constexpr int kTries = 10;  // while the files of the policy come and go

AuditFacts facts_of(const policy::Grant& grant) {
  return {.request = grant.request(), .rule = grant.rule(), .reason = grant.reason()};
}

AuditFacts facts_of(const policy::Grant& grant, const priv::Outcome& outcome) {
  AuditFacts facts = facts_of(grant);
  facts.device = outcome.device.name;
  facts.ifindex = outcome.device.ifindex;
  return facts;
}

AuditFacts facts_of(const policy::Grant& grant, const Error& error, const std::vector<std::string>& taken) {
  AuditFacts facts = facts_of(grant);
  facts.error = error;
  facts.changes = taken;
  return facts;
}

}  // namespace

Result<RecorderLink::Answered> RecorderLink::ask(const RecorderQuestion& question) {
  auto message = process_.ask(encode(question));
  if (!message) return std::unexpected(std::move(message.error()));
  auto answer = decode_answer(message->bytes);
  if (!answer) return fail(Code::bug, "a strange answer of the process that keeps the audit log");
  policy_has_changed_ = answer->policy_has_changed;
  if (answer->error) return std::unexpected(*std::move(answer->error));
  return Answered{*std::move(answer), std::move(message->fds)};
}

Result<void> RecorderLink::say(const RecorderQuestion& question) {
  const auto answered = ask(question);
  return answered ? Result<void>() : std::unexpected(answered.error());
}

Result<void> RecorderLink::begin(const Call& call, bool is_for_journald) {
  RecorderQuestion question{.what = Asks::begin,
                            .flag = is_for_journald,
                            .protocol = call.protocol,
                            .operation = std::string(call.operation)};
  if (call.request) question.facts.request = *call.request;
  return say(question);
}

Result<void> RecorderLink::begin_request(bool can_reload) {
  return say({.what = Asks::begin_request, .flag = can_reload});
}

Result<RecorderLink::Turn> RecorderLink::take_turn(bool is_exclusive) {
  Turn turn(is_exclusive ? this : nullptr);
  if (auto taken = say({.what = Asks::take_turn, .flag = is_exclusive}); !taken)
    return std::unexpected(std::move(taken.error()));
  return turn;
}

void RecorderLink::tell(Asks what) {
  [[maybe_unused]] const auto sent = send_with_fds(process_.channel(), encode(RecorderQuestion{.what = what}), {});
}

Result<void> RecorderLink::check() { return say({.what = Asks::check}); }

void RecorderLink::follow_log() { [[maybe_unused]] const auto followed = say({.what = Asks::follow}); }

Result<std::vector<policy::PolicyText>> RecorderLink::read_policy() {
  std::vector<policy::PolicyText> texts;
  for (;;) {
    auto answered = ask({.what = Asks::open_policy, .number = static_cast<unsigned>(texts.size())});
    if (!answered) return std::unexpected(std::move(answered.error()));
    if (answered->fds.empty()) return texts;
    auto text = policy::read_policy_file(answered->fds.front().get(), answered->answer.path);
    if (!text) return std::unexpected(std::move(text.error()));
    texts.push_back(*std::move(text));
  }
}

Result<void> RecorderLink::remember(const std::vector<policy::PolicyText>& texts) {
  auto said = say({.what = Asks::forget_policy});
  for (const auto& [path, text] : texts)
    if (said) said = say({.what = Asks::remember_policy, .path = path, .text = text});
  return said;
}

// What the recorder compares with is at all times what `policy` was read from, also where the files were changed
// between the reading of two of them: then they are not what it sees, and nothing is granted.
Result<void> RecorderLink::reload(policy::Policy& policy, const policy::Accounts& accounts) {
  for (int tries = 0; tries < kTries; ++tries) {
    const auto texts = read_policy();
    if (!texts) return std::unexpected(texts.error());
    auto loaded = policy::load(*texts, accounts);
    if (!loaded) return std::unexpected(std::move(loaded.error()));
    if (auto kept = remember(*texts); !kept) return kept;
    policy = *std::move(loaded);
    auto checked = check();
    if (checked || !policy_has_changed_) return checked;
  }
  return fail(Code::busy, "the policy is being changed without a pause", "Try again.");
}

Result<void> RecorderLink::open_tuns(std::vector<unique_fd>& tuns, unsigned wanted) {
  unsigned ahead = kAhead;
  while (tuns.size() < wanted) {
    const unsigned missing = wanted - static_cast<unsigned>(tuns.size());
    const unsigned number = std::min(missing + ahead, kMostTunsAtOnce);
    auto answered = ask({.what = Asks::open_tuns, .number = number});
    if (!answered && answered.error().errnum == EMFILE && std::exchange(ahead, 0) != 0) continue;
    if (!answered) return std::unexpected(std::move(answered.error()));
    if (answered->fds.size() != number) return fail(Code::bug, "a strange answer about /dev/net/tun");
    std::ranges::move(answered->fds, std::back_inserter(tuns));
  }
  return {};
}

Result<void> RecorderLink::intend(const policy::Grant& grant) { return record(Asks::intend, facts_of(grant)); }

Result<void> RecorderLink::done(const policy::Grant& grant, const priv::Outcome& outcome) {
  AuditFacts facts = facts_of(grant, outcome);
  facts.changes = outcome.words;
  return record(Asks::done, std::move(facts));
}

Result<void> RecorderLink::failed(const policy::Grant& grant, const Error& error,
                                  const std::vector<std::string>& taken) {
  return record(Asks::failed, facts_of(grant, error, taken));
}

Result<void> RecorderLink::rolled_back(const policy::Grant& grant, const Error& reply_error,
                                       const std::vector<std::string>& taken) {
  return record(Asks::rolled_back, facts_of(grant, reply_error, taken));
}

Result<void> RecorderLink::refused(const Error& error, const std::string& rule, const std::optional<Request>& request) {
  return record(Asks::refused, {.request = request, .rule = rule, .error = error});
}

Result<void> RecorderLink::unchanged(const policy::Grant& grant, const priv::Outcome& outcome) {
  return record(Asks::unchanged, facts_of(grant, outcome));
}

Result<void> RecorderLink::reloaded(const Result<void>& outcome) {
  return record(Asks::reloaded, {.error = outcome ? std::nullopt : std::optional(outcome.error())});
}

Result<void> RecorderLink::not_understood(const Error& error, std::string_view record) {
  return this->record(Asks::not_understood, {.error = error, .record = std::string(record)});
}

Result<void> RecorderLink::ended(const policy::Grant& grant, AuditFacts facts) {
  facts.request = grant.request();
  facts.rule = grant.rule();
  facts.reason = grant.reason();
  return record(Asks::ended, std::move(facts));
}

void RecorderLink::end() {
  tell(Asks::end);
  process_.end();
}

}  // namespace umlnet
