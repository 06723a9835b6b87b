// uml_net: the way of one request, from top to bottom. Each step is one function of the file that is named for it.
//
//   argv -> Call -> decide(policy, caller, request, host) -> Grant -> execute -> Outcome -> reply and audit log
//
// An ethertap session opens in this way, and each record of its control stream then takes the way from decide on; so
// does each record of a session of the native protocol.

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/call.h"
#include "libumlnet/core/native5_arguments.h"
#include "libumlnet/core/uml4_control.h"
#include "policy/decide.h"
#include "policy/extent.h"
#include "policy/load.h"
#include "uml_net/attendant.h"
#include "uml_net/audit_trail.h"
#include "uml_net/caller_lock.h"
#include "uml_net/elsewhere.h"
#include "uml_net/ethertap_session.h"
#include "uml_net/help.h"
#include "uml_net/identity.h"
#include "uml_net/native_session.h"
#include "uml_net/priv/capability.h"
#include "uml_net/priv/execute.h"
#include "uml_net/priv/kernel_effects.h"
#include "uml_net/priv/plan.h"
#include "uml_net/priv/rtnetlink_socket.h"
#include "uml_net/priv/stage_filter.h"
#include "uml_net/read_host_state.h"
#include "uml_net/reply.h"
#include "uml_net/session_roots.h"
#include "uml_net/startup.h"
#include "uml_net/trusted_inputs.h"

namespace umlnet {
namespace {

using Words = std::span<const std::string_view>;

// Where it is not known yet how the caller wants to be answered.
int give_up(const Error& error) {
  complain(error);
  return exit_status_of(error.code);
}

// The end of a request that changed nothing: the caller and the audit log are told the same.
int refuse(const Error& error, const std::string& rule, Reply& reply, audit::Trail& trail) {
  if (const auto recorded = trail.refused(error, rule); !recorded) reply.remark(recorded.error());
  return reply.refuse(error);
}

// What every request of this process shares.
struct Way {
  const policy::Policy& policy;
  const policy::Caller& caller;
  CallerLock::Files lock_files;
  priv::RtnetlinkSocket& socket;
  priv::HostEffects& effects;
  Reply& reply;
  audit::Trail& trail;
  std::optional<Attendant>& attendant;
  std::uint32_t group = 0;  // the link group of the session's devices
};

// One grant made real: no change without a line in the log before it, no privilege in effect but during the change.
Result<priv::Outcome> carry_out(const policy::Grant& grant, const priv::Plan& plan, const policy::HostState& host,
                                const Way& way) {
  if (auto recorded = way.trail.intend(grant); !recorded) return std::unexpected(std::move(recorded.error()));
  auto outcome = [&]() -> Result<priv::Outcome> {
    const auto raised = priv::NetAdminInEffect::raise();
    if (!raised) return std::unexpected(raised.error());
    return priv::execute(grant, plan, host, way.effects);
  }();
  if (!outcome)
    if (const auto recorded = way.trail.failed(grant, outcome.error()); !recorded) way.reply.remark(recorded.error());
  return outcome;
}

// What guests that are gone left behind goes first, whoever calls and whatever for.
Result<policy::HostState> read_clean_host(const Request& request, const Way& way) {
  const auto extent = policy::extent_of(request);
  auto host = read_host_state(way.socket, extent);
  if (!host || !policy::has_garbage(*host)) return host;
  const auto grant = policy::decide(way.policy, way.caller, CollectGarbage{}, *host);
  if (!grant) return host;
  const auto plan = priv::make_plan(*grant, way.trail.id(), *host);
  if (!plan) return std::unexpected(plan.error());
  const auto outcome = carry_out(*grant, *plan, *host, way);
  if (!outcome) return std::unexpected(outcome.error());
  if (const auto recorded = way.trail.done(*grant, *outcome); !recorded) return std::unexpected(recorded.error());
  return read_host_state(way.socket, extent);
}

// What was done is taken back, and the record says why.
void undo(const policy::Grant& grant, priv::Outcome outcome, const Error& why, const Way& way) {
  const auto raised = priv::NetAdminInEffect::raise();
  const auto left = priv::take_back(std::move(outcome), way.effects);
  if (const auto recorded = way.trail.failed(grant, why, left); !recorded) way.reply.remark(recorded.error());
}

// Whether the caller is still within its limits, counted again after the change.
Result<void> check_limits(const policy::Grant& grant, const Way& way) {
  const auto after = read_host_state(way.socket, policy::extent_of_limits(grant.request()));
  if (!after) return std::unexpected(after.error());
  if (auto over = policy::over_limits(grant, *after)) return std::unexpected(*std::move(over));
  return {};
}

// Where the caller is not to have an fd of the device: the other end of its relay's socket.
Result<void> seal(const Request& request, priv::Outcome& outcome, const Way& way) {
  const auto* open = std::get_if<OpenInterface>(&request);
  if (open == nullptr || !open->sealed) return {};
  if (!way.attendant || !outcome.tap) return fail(Code::bug, "there is nothing to seal, or nobody to do it");
  auto socket = way.attendant->seal(outcome.tap->queues.front().get());
  if (!socket) return std::unexpected(std::move(socket.error()));
  outcome.sealed = *std::move(socket);
  return {};
}

struct Fulfilled {
  policy::Grant grant;
  priv::Outcome outcome;
  bool recorded;  // nothing was to be done, and that is on record
};

// One request, from the state of the host to the change. A refusal is on record when this returns; what came of a grant
// is for the caller of this function to record, who knows whether the reply was taken.
Result<Fulfilled> fulfil(const Request& request, const Way& way) {
  const auto refused = [&](const Error& error, const std::string& rule) {
    if (const auto recorded = way.trail.refused(error, rule, request); !recorded) way.reply.remark(recorded.error());
    return std::unexpected(error);
  };
  // From counting to changing, one request of the caller's at a time. Root has no limits.
  const bool counts = policy::counts_against_limits(request) && way.caller.uid != 0;
  std::optional<CallerLock> lock;
  if (counts) {
    auto taken = CallerLock::take(way.lock_files, way.caller.uid);
    if (!taken) return refused(taken.error(), {});
    lock.emplace(*std::move(taken));
  }
  const bool is_gc = std::holds_alternative<CollectGarbage>(request);
  const auto host = is_gc ? read_host_state(way.socket, policy::extent_of(request)) : read_clean_host(request, way);
  if (!host) return refused(host.error(), {});
  auto grant = policy::decide(way.policy, way.caller, request, *host);
  if (!grant) return refused(grant.error().error, grant.error().rule);
  const auto plan = priv::make_plan(*grant, way.trail.id(), *host, way.group);
  if (!plan) return refused(plan.error(), grant->rule());

  if (plan->changes.empty()) {
    auto outcome = priv::execute(*grant, *plan, *host, way.effects);
    if (!outcome) return refused(outcome.error(), grant->rule());
    if (auto recorded = way.trail.unchanged(*grant, *outcome); !recorded)
      return std::unexpected(std::move(recorded.error()));
    return Fulfilled{*std::move(grant), *std::move(outcome), true};
  }
  auto outcome = carry_out(*grant, *plan, *host, way);
  if (!outcome) return std::unexpected(std::move(outcome.error()));
  const bool counted_apart = counts && !lock->is_certain() && priv::adds_to_holdings(*plan);
  auto settled = counted_apart ? check_limits(*grant, way) : Result<void>();
  if (settled) settled = seal(request, *outcome, way);
  if (!settled) {
    undo(*grant, *std::move(outcome), settled.error(), way);
    return std::unexpected(std::move(settled.error()));
  }
  return Fulfilled{*std::move(grant), *std::move(outcome), false};
}

Result<void> record_done(const Fulfilled& done, const Way& way) {
  return done.recorded ? Result<void>() : way.trail.done(done.grant, done.outcome);
}

// Adding and making are taken back where the caller did not take the reply. What was removed at a caller's wish stays
// removed.
bool is_taken_back_unheard(const Request& request) {
  return !std::holds_alternative<DeleteAddress>(request) && !std::holds_alternative<RemoveInterface>(request) &&
         !std::holds_alternative<CollectGarbage>(request);
}

// What waited for the caller to have its answer.
Result<void> complete(priv::Outcome& outcome, const Way& way) {
  if (outcome.remaining.empty()) return {};
  const auto raised = priv::NetAdminInEffect::raise();
  return raised ? priv::complete(outcome, way.effects) : std::unexpected(raised.error());
}

// The answer to a request that was carried out. Where its caller did not take it, what was done is undone, and on
// record.
Result<void> hand_over(const Request& request, Fulfilled& done, const Way& way) {
  auto taken = way.reply.grant(request, done.outcome);
  if (taken) taken = complete(done.outcome, way);
  if (taken || done.recorded || !is_taken_back_unheard(request)) return taken;
  const auto raised = priv::NetAdminInEffect::raise();
  const auto left = priv::take_back(std::move(done.outcome), way.effects);
  if (const auto recorded = way.trail.taken_back(done.grant, taken.error(), left); !recorded)
    way.reply.remark(recorded.error());
  done.recorded = true;
  return taken;
}

// What devices that are gone left on others, removed at the end of a session.
std::vector<std::string> collect_leavings(const Way& way) {
  const auto host = read_host_state(way.socket, policy::extent_of(CollectGarbage{}));
  if (!host) return {"failed: " + host.error().line()};
  const auto grant = policy::decide(way.policy, way.caller, CollectGarbage{}, *host);
  const auto plan = grant ? priv::make_plan(*grant, way.trail.id(), *host) : Result<priv::Plan>();
  const auto raised = priv::NetAdminInEffect::raise();
  if (!grant || !plan || !raised) return {"failed: what is left is removed by the next request"};
  const auto outcome = priv::execute(*grant, *plan, *host, way.effects);
  if (!outcome) return {"failed: " + outcome.error().line()};
  return outcome->words;
}

// What an ethertap session did to the host, undone: the device goes with its last fd, its routes go with the device,
// and what they leave on other devices is garbage.
std::vector<std::string> undo_session(priv::Outcome& opened, const Way& way) {
  opened.tap.reset();
  auto words = collect_leavings(way);
  words.insert(words.begin(), opened.device.name + " gone");
  return words;
}

// For a line that is written whether or not a new log can be had: where not, to the one that the session has.
void follow_log(SessionRoots& roots, audit::Log& log) { [[maybe_unused]] const auto followed = roots.follow(log); }

// The rest of an ethertap session: each control record takes the way of a request of its own.
int hold_session(EthertapSession& session, Fulfilled& opened, SessionRoots& roots, audit::Log& log, const Way& way) {
  const IfName device = opened.outcome.tap->name;
  unsigned added = 0, removed = 0;
  const auto end = session.hold([&](const uml4::ControlRecord& record) -> std::string {
    auto prepared = roots.follow(log);
    if (prepared) prepared = roots.check_policy();
    way.trail.add_summaries(nullptr);
    const auto request = uml4::request_of(record, device);
    if (!request || !prepared) {
      const Error& error = request ? prepared.error() : request.error();
      const auto recorded = request ? way.trail.refused(error, {}, *request) : way.trail.refused(error, {});
      if (!recorded) way.reply.remark(recorded.error());
      return told(error);
    }
    const auto done = fulfil(*request, way);
    if (!done) return told(done.error());
    (std::holds_alternative<AddAddress>(*request) ? added : removed) += done->outcome.changes.empty() ? 0 : 1;
    if (const auto recorded = record_done(*done, way); !recorded) way.reply.remark(recorded.error());
    return done->outcome.text;
  });
  const auto dropped = read_tx_dropped(way.socket, device.str());
  const auto undone = undo_session(opened.outcome, way);
  follow_log(roots, log);
  priv::drop_net_admin();
  const auto summary = audit::summary_of(session.counters(), end.why, dropped, added, removed);
  if (const auto recorded = way.trail.ended(opened.grant, opened.outcome, summary, undone, end.error); !recorded)
    return way.reply.give_up(recorded.error());
  return end.error ? way.reply.give_up(*end.error) : 0;
}

// What a session of the native protocol works with besides.
struct SessionWay {
  NativeSession& session;
  SessionRoots& roots;
  audit::Log& log;
  std::vector<unique_fd>& tuns;  // those that are open for this request, and for the next
  std::vector<std::unique_ptr<Elsewhere>> elsewhere = {};
  audit::NativeSessionSummary summary = {};
};

// Lets go of the namespaces in which nothing of the session's is left: as long as it has a way into one, that one
// lives.
void forget_empty(SessionWay& session, const Way& way) {
  std::erase_if(session.elsewhere, [&](const auto& there) {
    const auto host = read_host_state(there->socket(), policy::Extent::links);
    return host && std::ranges::find(host->links, way.group, &rtnetlink::Link::group) == host->links.end();
  });
}

// Of the descriptors on /dev/net/tun, so many stay.
void keep_tuns(SessionWay& session, std::size_t most) {
  while (session.tuns.size() > most) session.tuns.pop_back();
}

// Where descriptors are short.
void make_room(SessionWay& session, const Way& way) {
  keep_tuns(session, 0);
  forget_empty(session, way);
}

// The namespace that the request names by the place of its descriptor among those of the record.
Result<Elsewhere*> reach(int place, unsigned queues, Message& record, SessionWay& session, const Way& way,
                         const priv::TunSource& tuns) {
  if (static_cast<std::size_t>(place) >= record.fds.size())
    return fail(Code::bad_value, "netns=" + std::to_string(place) + " names none of the " +
                                     std::to_string(record.fds.size()) + " descriptors that came with the request");
  unique_fd& netns = record.fds[static_cast<std::size_t>(place)];
  const auto known = std::ranges::find_if(session.elsewhere, [&](const auto& one) { return one->is(netns.get()); });
  if (known != session.elsewhere.end()) return known->get();
  forget_empty(session, way);
  const auto attempt = [&] { return Elsewhere::reach(netns, way.caller.uid, *way.attendant, tuns, way.socket); };
  auto reached = attempt();
  if (!reached && reached.error().errnum == EMFILE && session.tuns.size() > queues) {
    keep_tuns(session, queues);
    reached = attempt();
  }
  if (!reached) return std::unexpected(std::move(reached.error()));
  session.elsewhere.push_back(*std::move(reached));
  return session.elsewhere.back().get();
}

// One record of a session: it takes the way of a request of its own. An error where the caller does not take answers.
Result<void> answer_record(Message& record, SessionWay& session, const Way& way, const priv::TunSource& tuns) {
  const auto refused = [&](const Error& error) {
    ++session.summary.refused;
    way.reply.refuse(error);
  };
  way.trail.begin_request();
  way.trail.add_summaries(nullptr);
  const auto request = native5::parse_record(record.bytes);
  if (!request) {
    follow_log(session.roots, session.log);
    if (const auto recorded = way.trail.not_understood(request.error(), record.bytes); !recorded)
      way.reply.remark(recorded.error());
    refused(request.error());
    return {};
  }
  const auto* open = std::get_if<OpenInterface>(&*request);
  const unsigned queues = open != nullptr ? open->queues : 0;
  auto prepared = session.roots.prepare(session.log, session.tuns, queues);
  if (!prepared && prepared.error().errnum == EMFILE) {
    make_room(session, way);
    prepared = session.roots.prepare(session.log, session.tuns, queues);
  }
  if (prepared) prepared = session.roots.check_policy();
  Elsewhere* there = nullptr;
  if (prepared && open != nullptr && open->netns) {
    auto reached = reach(*open->netns, queues, record, session, way, tuns);
    prepared = reached ? Result<void>() : std::unexpected(std::move(reached.error()));
    if (reached) there = *reached;
  }
  if (!prepared) {
    if (const auto recorded = way.trail.refused(prepared.error(), {}, *request); !recorded)
      way.reply.remark(recorded.error());
    refused(prepared.error());
    return {};
  }
  const Way here =
      there == nullptr ? way : Way{way.policy, way.caller, way.lock_files, there->socket(), there->effects(),
                                   way.reply,  way.trail,  way.attendant,  way.group};
  auto done = fulfil(*request, here);
  if (!done) {
    refused(done.error());
    return {};
  }
  auto taken = hand_over(*request, *done, here);
  if (const auto recorded = taken ? record_done(*done, here) : Result<void>(); !recorded)
    way.reply.remark(recorded.error());
  if (taken) ++(open != nullptr ? session.summary.opened : session.summary.removed);
  return taken;
}

// All that the session made, deleted at once, but for what is to persist.
std::vector<std::string> end_session(const SessionWay& session, const Way& way) {
  std::vector<std::string> words;
  const auto take_back = [&](priv::HostEffects& effects) {
    const auto raised = priv::NetAdminInEffect::raise();
    if (const auto deleted = priv::take_back_group(way.group, effects); !deleted)
      words.push_back("failed: " + deleted.error().line());
  };
  if (session.summary.opened == 0) return {};
  take_back(way.effects);
  for (const auto& there : session.elsewhere) take_back(there->effects());
  if (words.empty()) words.emplace_back("the session's devices gone");
  const auto left = collect_leavings(way);
  words.insert(words.end(), left.begin(), left.end());
  return words;
}

// The rest of a session of the native protocol.
int hold_native_session(const policy::Grant& opened, SessionWay& session, const Way& way, const priv::TunSource& tuns) {
  std::optional<Error> error;
  while (session.summary.ended.empty()) {
    auto next = session.session.next();
    if (auto* end = std::get_if<NativeSession::End>(&next)) {
      session.summary.ended = end->why;
      error = end->error;
    } else if (const auto* strange = std::get_if<Error>(&next)) {
      follow_log(session.roots, session.log);
      if (const auto recorded = way.trail.not_understood(*strange, {}); !recorded) way.reply.remark(recorded.error());
      way.reply.refuse(*strange);
      if (strange->errnum == EMFILE) make_room(session, way);
    } else if (auto taken = answer_record(std::get<Message>(next), session, way, tuns); !taken) {
      session.summary.ended = "the caller did not take an answer";
      error = taken.error();
    }
    keep_tuns(session, TrustedOpener::kAhead);  // a request that was refused took none
  }
  const auto undone = end_session(session, way);
  follow_log(session.roots, session.log);
  priv::drop_net_admin();
  if (const auto recorded = way.trail.ended(opened, session.summary, undone, error); !recorded)
    return way.reply.give_up(recorded.error());
  return error ? way.reply.give_up(*error) : 0;
}

Result<policy::Policy> load_policy(const TrustedInputs& inputs) {
  if (!inputs.policy) return std::unexpected(inputs.policy.error());
  if (!inputs.accounts) return std::unexpected(inputs.accounts.error());
  return policy::load(*inputs.policy, *inputs.accounts);
}

// How often the request ties an fd to a device. A session asks for its own, one request at a time.
unsigned tuns_for(const Call& call) {
  if (!call.request) return 0;
  if (const auto* open = std::get_if<OpenInterface>(&*call.request)) return open->queues;
  return policy::counts_against_limits(*call.request) && !std::holds_alternative<AddAddress>(*call.request) ? 1 : 0;
}

bool is_session(const Request& request) {
  return std::holds_alternative<OpenEthertap>(request) || std::holds_alternative<OpenSession>(request);
}

bool needs_attendant(const Request& request) {
  const auto* open = std::get_if<OpenInterface>(&request);
  return std::holds_alternative<OpenSession>(request) || (open != nullptr && (open->sealed || open->netns));
}

int answer(const Call& call, unique_fd& named, const policy::Caller& caller, TrustedInputs& inputs,
           std::optional<Result<SessionRoots>> roots, Reply& reply, audit::Trail& trail) {
  // The policy comes first, because it says who else is to get the lines of the log.
  const auto policy = load_policy(inputs);
  if (policy && policy->journald) trail.copy_to(audit::Journal::connect());
  trail.add_summaries(inputs.accounts ? &*inputs.accounts : nullptr);
  const auto fit = reply.check();
  const auto no = [&](const Error& error) { return refuse(error, {}, reply, trail); };
  if (!call.request) return no(call.request.error());
  if (!fit) return no(fit.error());
  if (!policy) return no(policy.error());
  if (!inputs.tuns) return no(inputs.tuns.error());
  if (roots && !*roots) return no(roots->error());

  // What the filter lets nobody make: the process that moves an ethertap session's frames, and the one that does for
  // the native protocol what needs no privilege.
  std::optional<EthertapSession> ethertap;
  if (std::holds_alternative<OpenEthertap>(*call.request)) {
    auto prepared = EthertapSession::prepare(named, call.descriptor.value_or(-1), inputs.tuns->front().get());
    if (!prepared) return no(prepared.error());
    ethertap.emplace(*std::move(prepared));
  }
  std::optional<NativeSession> session;
  if (std::holds_alternative<OpenSession>(*call.request)) {
    auto prepared = NativeSession::prepare();
    if (!prepared) return no(prepared.error());
    session.emplace(*std::move(prepared));
  }
  std::optional<Attendant> attendant;
  if (needs_attendant(*call.request)) {
    auto started = Attendant::start();
    if (!started) return no(started.error());
    attendant.emplace(*std::move(started));
  }

  auto socket = priv::RtnetlinkSocket::open();
  if (!socket) return no(socket.error());
  std::vector<unique_fd>& tuns = *inputs.tuns;
  const priv::TunSource tun_source = [&tuns]() -> Result<unique_fd> {
    if (tuns.empty()) return fail(Code::bug, "there are more queues than descriptors on /dev/net/tun");
    unique_fd tun = std::move(tuns.front());
    tuns.erase(tuns.begin());
    return tun;
  };
  // A request may name another network namespace, which then is its host.
  std::unique_ptr<Elsewhere> there;
  const auto* open = std::get_if<OpenInterface>(&*call.request);
  if (open != nullptr && open->netns) {
    auto reached = Elsewhere::reach(named, caller.uid, *attendant, tun_source, *socket);
    if (!reached) return no(reached.error());
    there = *std::move(reached);
  }

  // From here on the filter lets through only what the change, the reply and the record need.
  priv::StageFds fds{.tuns = {},
                     .rtnetlink = socket->fd(),
                     .reply = reply.fd(),
                     .audit = inputs.log->fd(),
                     .counters = inputs.refusals->file(),
                     .journal = trail.journal_fd(),
                     .elsewhere = there ? there->socket().fd() : -1,
                     .attendant = attendant ? attendant->channel() : -1};
  for (const auto& tun : tuns) fds.tuns.push_back(tun.get());
  if (ethertap) fds.session = ethertap->fds();
  if (roots) fds.roots = (*roots)->fds();
  fds.native_session = session.has_value();
  if (auto entered = priv::stage_filter(fds).enter(); !entered) return no(entered.error());

  priv::KernelEffects effects(tun_source, *socket);
  const std::uint32_t group = session ? session_group(trail.id()) : 0;
  const Way way{*policy,
                caller,
                {.counters = inputs.refusals->file(), .log = inputs.log->fd()},
                there ? there->socket() : *socket,
                there ? there->effects() : effects,
                reply,
                trail,
                attendant,
                group};
  auto done = fulfil(*call.request, way);
  if (!done) {
    ethertap.reset();  // and with the relay the device, if there was one
    return reply.refuse(done.error());
  }
  const auto taken = hand_over(*call.request, *done, way);
  if (!taken && is_taken_back_unheard(*call.request)) return reply.give_up(taken.error());
  if (!ethertap && !session) priv::drop_net_admin();
  if (const auto recorded = record_done(*done, way); !recorded) return reply.give_up(recorded.error());
  if (ethertap) return hold_session(*ethertap, *done, **roots, *inputs.log, way);
  if (session) {
    SessionWay session_way{.session = *session, .roots = **roots, .log = *inputs.log, .tuns = tuns};
    return hold_native_session(done->grant, session_way, way, tun_source);
  }
  return taken ? 0 : reply.give_up(taken.error());
}

int serve(Words arguments) {
  const auto started = std::chrono::steady_clock::now();

  // 1. Nothing of the caller's arrangements stays in force but what the request names, and no capability is in effect.
  if (auto lowered = priv::lower_everything(); !lowered) return give_up(lowered.error());
  const Call call = parse_call(arguments);
  auto named = leave_callers_world(call.descriptor);
  Reply reply(call.reply, named ? named->get() : -1);
  if (!named) return reply.give_up(named.error());

  if (is_help(arguments)) {
    const auto caller = become_caller();
    if (!caller && caller.error().code != Code::not_privileged) return reply.give_up(caller.error());
    return print_help(arguments);
  }

  // 2. What needs the identity of the installation is opened with it.
  std::optional<Result<SessionRoots>> roots;
  if (call.request && is_session(*call.request))
    roots = SessionRoots::begin(std::holds_alternative<OpenSession>(*call.request));
  TrustedInputs inputs = open_trusted_inputs(tuns_for(call));
  const auto apart = inputs.log ? keep_words_out_of(inputs.log->fd()) : Result<void>();

  // 3. Then the process is its caller, for good. CAP_NET_ADMIN stays permitted, and is not in effect.
  auto caller = become_caller();
  const auto refuse_unrecorded = [&](const Error& error) {
    return reply.check() ? reply.refuse(error) : reply.give_up(error);
  };
  if (!caller) return refuse_unrecorded(caller.error());
  if (!inputs.log) {
    if (inputs.refusals) inputs.refusals->count_missing(caller->uid, std::chrono::system_clock::now());
    return refuse_unrecorded(in_user_namespace().value_or(inputs.log.error()));
  }
  if (!apart) return refuse_unrecorded(apart.error());
  if (!inputs.refusals) return refuse_unrecorded(inputs.refusals.error());

  // 4. All that follows is on record.
  std::array<std::uint8_t, 16> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return reply.give_up({Code::kernel, errno, "cannot get random bytes for the request's id", {}});
  if (inputs.accounts) caller->user = inputs.accounts->name_of(caller->uid);
  audit::Trail trail(*inputs.log, *inputs.refusals, RequestId(random), *caller, call, arguments, started);
  reply.set_id(trail.id());
  try {
    return answer(call, *named, *caller, inputs, std::move(roots), reply, trail);
  } catch (const std::exception& exception) {
    return refuse({Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."}, {}, reply,
                  trail);
  }
}

}  // namespace
}  // namespace umlnet

int main(int argc, char** argv) try {
  std::vector<std::string_view> arguments;
  for (int i = 1; i < argc; ++i) arguments.emplace_back(argv[i]);
  return umlnet::serve(arguments);
} catch (const std::exception& exception) {
  return umlnet::give_up(
      {umlnet::Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."});
}
