#include "uml_net/executor/native_records.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "policy/host_state_scope.h"
#include "uml_net/executor/read_host_state.h"
#include "uml_net/executor/target_namespace.h"
#include "uml_net/priv/execute.h"
#include "uml_net/priv/plan.h"
#include "uml_net/sys/capability.h"

namespace umlnet {
namespace {

constexpr int kEventInterval = 1000;  // milliseconds between two looks for what the caller is to hear of

// What a session of the native protocol works with besides.
struct Records {
  NativeSession& session;
  SessionInputs inputs;
  std::vector<unique_fd>& tuns;  // those that are open for this request, and for the next
  std::vector<std::unique_ptr<TargetNamespace>> namespaces = {};
  NativeSessionSummary summary = {};
  std::string ended = {};            // by what; empty: not yet
  bool is_change_announced = false;  // of the policy
  bool has_sealed = false;           // or tried to: the caller's worker may hold a device that was refused
};

// Lets go of the namespaces in which nothing of the session's is left: as long as it has a way into one, that one
// lives.
void forget_empty(Records& session, const RequestContext& context) {
  std::erase_if(session.namespaces, [&](const auto& there) {
    const auto host = read_host_state(there->socket(), policy::HostStateScope::links);
    return host && std::ranges::find(host->links, context.group, &rtnetlink::Link::group) == host->links.end();
  });
}

// So that its own descriptors have numbers below fd_number::kForeign.
constexpr std::size_t kMostNamespaces = 128;

// Of the descriptors on /dev/net/tun, so many stay.
void keep_tuns(Records& session, std::size_t most) {
  while (session.tuns.size() > most) session.tuns.pop_back();
}

// Where descriptors are short.
void make_room(Records& session, const RequestContext& context) {
  keep_tuns(session, 0);
  forget_empty(session, context);
}

// The namespace that the request names by the place of its descriptor among those of the record.
Result<TargetNamespace*> reach(int place, std::vector<unique_fd>& fds, Records& session, const RequestContext& context,
                               const priv::TunSource& tuns) {
  if (static_cast<std::size_t>(place) >= fds.size())
    return fail(Code::bad_value, "netns=" + std::to_string(place) + " names none of the " + std::to_string(fds.size()) +
                                     " descriptors that came with the request");
  unique_fd& netns = fds[static_cast<std::size_t>(place)];
  const auto known = std::ranges::find_if(session.namespaces, [&](const auto& one) { return one->is(netns.get()); });
  if (known != session.namespaces.end()) return known->get();
  forget_empty(session, context);
  if (session.namespaces.size() >= kMostNamespaces)
    return fail(Code::conflict,
                "this session has devices in " + std::to_string(kMostNamespaces) + " network namespaces already",
                "Remove those of one of them, or begin another session.");
  auto reached = TargetNamespace::reach(netns, context.caller.uid, *context.caller_worker, tuns, context.socket);
  if (!reached) return std::unexpected(std::move(reached.error()));
  session.namespaces.push_back(*std::move(reached));
  return session.namespaces.back().get();
}

// What a record that was refused leaves to be said.
void refuse(const Error& error, Records& session, const RequestContext& context) {
  ++session.summary.refused;
  context.front.refuse(error);
}

// Takes the new policy, because the caller asks for it. An error where it does not take answers.
Result<void> reload_policy(Records& session, const RequestContext& context) {
  const auto reloaded = context.recorder.reload(session.inputs.policy, session.inputs.accounts);
  context.front.note(context.recorder.reloaded(reloaded));
  if (!reloaded) {
    refuse(reloaded.error(), session, context);
    return {};
  }
  auto taken = context.front.confirm_reload();
  context.front.done();
  return taken;
}

// Once for each time that the policy is another one than the session's: for a caller that asked for events.
void announce_policy_change(Records& session, const RequestContext& context) {
  const bool has_changed = context.recorder.policy_has_changed();
  session.is_change_announced = has_changed && (session.is_change_announced || context.front.announce_policy_change());
}

void refuse_not_understood(const FrontMessage& message, Records& session, const RequestContext& context) {
  context.recorder.follow_log();
  const Error error = decode(message.said.error);
  context.front.note(context.recorder.not_understood(error, message.tail));
  ++session.summary.refused;
  context.front.refuse_as_said();
  if (error.errnum == EMFILE) make_room(session, context);
}

// One record of a session: it takes the way of a request of its own. An error where the caller does not take answers.
Result<void> answer_record(FrontMessage& record, Records& session, const RequestContext& context,
                           const priv::TunSource& tuns) {
  auto prepared = context.recorder.begin_request(true);
  if (record.said.what == Says::reload) return reload_policy(session, context);
  const auto request = record.said.what == Says::request ? decode(record.said.request) : std::nullopt;
  const bool is_of_session =
      request && (std::holds_alternative<OpenInterface>(*request) || std::holds_alternative<RemoveInterface>(*request));
  if (!is_of_session) {
    refuse_not_understood(record, session, context);
    return {};
  }
  const auto* open = std::get_if<OpenInterface>(&*request);
  const unsigned queues = open != nullptr ? open->queues : 0;
  session.has_sealed |= open != nullptr && open->sealed;
  if (prepared) prepared = context.recorder.open_tuns(session.tuns, queues);
  if (!prepared && prepared.error().errnum == EMFILE) {
    make_room(session, context);
    prepared = context.recorder.open_tuns(session.tuns, queues);
  }
  TargetNamespace* there = nullptr;
  if (prepared && open != nullptr && open->netns) {
    auto reached = reach(*open->netns, record.fds, session, context, tuns);
    prepared = reached ? Result<void>() : std::unexpected(std::move(reached.error()));
    if (reached) there = *reached;
  }
  if (!prepared) {
    context.front.note(context.recorder.refused(prepared.error(), {}, request));
    refuse(prepared.error(), session, context);
    return {};
  }
  const RequestContext here =
      there == nullptr ? context
                       : RequestContext{context.policy, context.caller,   there->socket(),       there->effects(),
                                        context.front,  context.recorder, context.caller_worker, context.group};
  auto done = run_request(*request, here);
  if (!done) {
    refuse(done.error(), session, context);
    return {};
  }
  auto taken = deliver_reply(*request, *done, here);
  here.front.note(record_done(*done, here));
  context.front.done();
  if (taken || !traits_of(*request).is_undone) ++(open != nullptr ? session.summary.opened : session.summary.removed);
  return taken;
}

// All that the session made, deleted at once, but for what is to persist.
std::vector<std::string> end_session(const policy::Grant& opened, const Records& session,
                                     const RequestContext& context) {
  if (session.summary.opened == 0 && !session.has_sealed) return {};
  const auto plan = priv::plan_session_end(opened, context.recorder.id());
  if (!plan) return {"failed: " + plan.error().line()};
  std::vector<std::string> words;
  const auto end_in = [&](priv::HostEffects& effects) {
    const auto raised = priv::ScopedNetAdmin::raise();
    const auto deleted = priv::execute(*plan, effects);
    if (!deleted) words.push_back("failed: " + deleted.error().error.line());
  };
  end_in(context.effects);
  for (const auto& there : session.namespaces) end_in(there->effects());
  if (words.empty()) words.emplace_back("the session's devices gone");
  const auto left = collect_leavings(context);
  words.insert(words.end(), left.begin(), left.end());
  return words;
}

}  // namespace

int hold_native_session(const policy::Grant& opened, NativeSession& session, SessionInputs inputs,
                        std::vector<unique_fd>& tuns, const priv::TunSource& tun_source,
                        const RequestContext& context) {
  Records records{.session = session, .inputs = inputs, .tuns = tuns};
  std::optional<Error> error;
  const bool has_events = std::get<OpenSession>(opened.request()).events;
  while (records.ended.empty()) {
    auto next = session.next(context.front.channel(), has_events ? kEventInterval : -1);
    if (auto* end = std::get_if<NativeSession::End>(&next)) {
      records.ended = end->why;
      error = end->error;
    } else if (const auto* strange = std::get_if<Error>(&next)) {
      context.recorder.follow_log();
      context.front.note(context.recorder.not_understood(*strange, {}));
      context.front.refuse(*strange);
      if (strange->errnum == EMFILE) make_room(records, context);
    } else if (std::holds_alternative<NativeSession::NetworkChanged>(next)) {
      context.recorder.follow_log();
      if (!restore_lost(context)) session.want_another_look();
    } else if (std::holds_alternative<NativeSession::Idle>(next)) {
      context.recorder.follow_log();
    } else if (auto taken = answer_record(std::get<FrontMessage>(next), records, context, tun_source); !taken) {
      records.ended = "the caller did not take an answer";
      error = taken.error();
    }
    keep_tuns(records, RecorderLink::kAhead);  // a request that was refused took none
    if (has_events) announce_policy_change(records, context);
  }
  const auto undone = end_session(opened, records, context);
  context.recorder.follow_log();
  priv::drop_net_admin();
  const auto recorded = context.recorder.ended(
      opened, {.changes = undone, .error = error, .ended = records.ended, .native_session = records.summary});
  context.front.over(recorded ? error : recorded.error());
  return context.front.end();
}

}  // namespace umlnet
