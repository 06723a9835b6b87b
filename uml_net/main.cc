// uml_net: the way of one call, from top to bottom. Each step is one function of the file that is named for it.
//
//   argv -> peek -> inputs of the installation -> the caller's identity -> Call -> run_request -> reply and audit log
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

#include "libumlnet/core/boot_time.h"
#include "libumlnet/core/call.h"
#include "libumlnet/core/native5_arguments.h"
#include "libumlnet/core/uml4_control.h"
#include "policy/decide.h"
#include "policy/extent.h"
#include "policy/load.h"
#include "uml_net/announcer.h"
#include "uml_net/attendant.h"
#include "uml_net/audit_trail.h"
#include "uml_net/caller_lock.h"
#include "uml_net/elsewhere.h"
#include "uml_net/ethertap_session.h"
#include "uml_net/help.h"
#include "uml_net/identity.h"
#include "uml_net/native_session.h"
#include "uml_net/peek.h"
#include "uml_net/priv/capability.h"
#include "uml_net/priv/execute.h"
#include "uml_net/priv/kernel_effects.h"
#include "uml_net/priv/plan.h"
#include "uml_net/priv/rtnetlink_socket.h"
#include "uml_net/priv/stage_filter.h"
#include "uml_net/read_host_state.h"
#include "uml_net/reply.h"
#include "uml_net/run_request.h"
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

// What an ethertap session did to the host, undone: the device goes with its last fd, its routes go with the device,
// and what they leave on other devices is garbage.
std::vector<std::string> undo_session(priv::Outcome& opened, const RequestContext& context) {
  opened.tap.reset();
  auto words = collect_leavings(context);
  words.insert(words.begin(), opened.device.name + " gone");
  return words;
}

// The files that a session goes on using.
struct SessionFiles {
  SessionRoots& roots;
  audit::Log& log;
  policy::Policy& policy;  // that of the RequestContext
  const policy::Accounts& accounts;

  // For a line that is written whether or not a new log can be had: where not, to the one that the session has.
  void follow_log() { [[maybe_unused]] const auto followed = roots.follow(log); }
  Result<void> reload() { return roots.reload(policy, accounts, log); }
};

// A guest has no record by which to ask for the new policy.
Result<void> take_new_policy(SessionFiles& files, const RequestContext& context) {
  if (files.roots.check_policy()) return {};
  const auto taken = files.reload();
  if (!taken) return taken;
  if (const auto recorded = context.trail.reloaded(taken); !recorded) context.reply.remark(recorded.error());
  return {};
}

// The rest of an ethertap session: each control record takes the way of a request of its own.
int hold_session(EthertapSession& session, GrantedRequest& opened, SessionFiles files, const RequestContext& context) {
  const IfName device = opened.outcome.tap->name;
  unsigned added = 0, removed = 0;
  const auto end = session.hold(
      [&](const uml4::ControlRecord& record) -> std::string {
        auto prepared = files.roots.follow(files.log);
        if (prepared) prepared = take_new_policy(files, context);
        context.trail.add_summaries(nullptr);
        const auto request = uml4::request_of(record, device);
        if (!request || !prepared) {
          const Error& error = request ? prepared.error() : request.error();
          const auto recorded = request ? context.trail.refused(error, {}, *request) : context.trail.refused(error, {});
          if (!recorded) context.reply.remark(recorded.error());
          return told(error);
        }
        const auto done = run_request(*request, context);
        if (!done) return told(done.error());
        (std::holds_alternative<AddAddress>(*request) ? added : removed) += done->outcome.changes.empty() ? 0 : 1;
        if (const auto recorded = record_done(*done, context); !recorded) context.reply.remark(recorded.error());
        return done->outcome.text;
      },
      [&] {
        files.follow_log();
        return restore_lost(context);
      });
  const auto dropped = read_tx_dropped(context.socket, device.str());
  const auto undone = undo_session(opened.outcome, context);
  files.follow_log();
  priv::drop_net_admin();
  const auto summary = audit::summary_of(session.counters(), end.why, dropped, added, removed);
  if (const auto recorded = context.trail.ended(opened.grant, opened.outcome, summary, undone, end.error); !recorded)
    return context.reply.give_up(recorded.error());
  return end.error ? context.reply.give_up(*end.error) : 0;
}

// What a session of the native protocol works with besides.
struct SessionWay {
  NativeSession& session;
  SessionFiles files;
  std::vector<unique_fd>& tuns;  // those that are open for this request, and for the next
  std::vector<std::unique_ptr<Elsewhere>> elsewhere = {};
  audit::NativeSessionSummary summary = {};
  bool is_change_announced = false;  // of the policy
};

// Lets go of the namespaces in which nothing of the session's is left: as long as it has a way into one, that one
// lives.
void forget_empty(SessionWay& session, const RequestContext& context) {
  std::erase_if(session.elsewhere, [&](const auto& there) {
    const auto host = read_host_state(there->socket(), policy::Extent::links);
    return host && std::ranges::find(host->links, context.group, &rtnetlink::Link::group) == host->links.end();
  });
}

// So that its own descriptors have numbers below kFirstForeignFd.
constexpr std::size_t kMostNamespaces = 128;

// Of the descriptors on /dev/net/tun, so many stay.
void keep_tuns(SessionWay& session, std::size_t most) {
  while (session.tuns.size() > most) session.tuns.pop_back();
}

// Where descriptors are short.
void make_room(SessionWay& session, const RequestContext& context) {
  keep_tuns(session, 0);
  forget_empty(session, context);
}

// The namespace that the request names by the place of its descriptor among those of the record.
Result<Elsewhere*> reach(int place, Message& record, SessionWay& session, const RequestContext& context,
                         const priv::TunSource& tuns) {
  if (static_cast<std::size_t>(place) >= record.fds.size())
    return fail(Code::bad_value, "netns=" + std::to_string(place) + " names none of the " +
                                     std::to_string(record.fds.size()) + " descriptors that came with the request");
  unique_fd& netns = record.fds[static_cast<std::size_t>(place)];
  const auto known = std::ranges::find_if(session.elsewhere, [&](const auto& one) { return one->is(netns.get()); });
  if (known != session.elsewhere.end()) return known->get();
  forget_empty(session, context);
  if (session.elsewhere.size() >= kMostNamespaces)
    return fail(Code::conflict,
                "this session has devices in " + std::to_string(kMostNamespaces) + " network namespaces already",
                "Remove those of one of them, or begin another session.");
  auto reached = Elsewhere::reach(netns, context.caller.uid, *context.attendant, tuns, context.socket);
  if (!reached) return std::unexpected(std::move(reached.error()));
  session.elsewhere.push_back(*std::move(reached));
  return session.elsewhere.back().get();
}

// Takes the new policy, because the caller asks for it. An error where it does not take answers.
Result<void> reload_policy(SessionWay& session, const RequestContext& context) {
  const auto taken = session.files.reload();
  if (const auto recorded = context.trail.reloaded(taken); !recorded) context.reply.remark(recorded.error());
  if (taken) return context.reply.confirm_reload();
  ++session.summary.refused;
  context.reply.refuse(taken.error());
  return {};
}

// Once for each time that the policy is another one than the session's: for a caller that asked for events.
void announce_policy_change(SessionWay& session, const RequestContext& context) {
  const bool has_changed = !session.files.roots.check_policy();
  session.is_change_announced = has_changed && (session.is_change_announced || context.reply.announce_policy_change());
}

// One record of a session: it takes the way of a request of its own. An error where the caller does not take answers.
Result<void> answer_record(Message& record, SessionWay& session, const RequestContext& context,
                           const priv::TunSource& tuns) {
  const auto refused = [&](const Error& error) {
    ++session.summary.refused;
    context.reply.refuse(error);
  };
  context.trail.begin_request();
  context.trail.add_summaries(nullptr);
  if (record.bytes == native5::kReload) return reload_policy(session, context);
  const auto request = native5::parse_record(record.bytes);
  if (!request) {
    session.files.follow_log();
    if (const auto recorded = context.trail.not_understood(request.error(), record.bytes); !recorded)
      context.reply.remark(recorded.error());
    refused(request.error());
    return {};
  }
  const auto* open = std::get_if<OpenInterface>(&*request);
  const unsigned queues = open != nullptr ? open->queues : 0;
  SessionRoots& roots = session.files.roots;
  auto prepared = roots.prepare(session.files.log, session.tuns, queues);
  if (!prepared && prepared.error().errnum == EMFILE) {
    make_room(session, context);
    prepared = roots.prepare(session.files.log, session.tuns, queues);
  }
  if (prepared) prepared = roots.check_policy();
  Elsewhere* there = nullptr;
  if (prepared && open != nullptr && open->netns) {
    auto reached = reach(*open->netns, record, session, context, tuns);
    prepared = reached ? Result<void>() : std::unexpected(std::move(reached.error()));
    if (reached) there = *reached;
  }
  if (!prepared) {
    if (const auto recorded = context.trail.refused(prepared.error(), {}, *request); !recorded)
      context.reply.remark(recorded.error());
    refused(prepared.error());
    return {};
  }
  const RequestContext here =
      there == nullptr
          ? context
          : RequestContext{context.policy, context.caller, context.lock_files, there->socket(), there->effects(),
                           context.reply,  context.trail,  context.attendant,  context.group,   context.check_files};
  auto done = run_request(*request, here);
  if (!done) {
    refused(done.error());
    return {};
  }
  auto taken = deliver_reply(*request, *done, here);
  if (const auto recorded = taken ? record_done(*done, here) : Result<void>(); !recorded)
    context.reply.remark(recorded.error());
  if (taken) ++(open != nullptr ? session.summary.opened : session.summary.removed);
  return taken;
}

// All that the session made, deleted at once, but for what is to persist.
std::vector<std::string> end_session(const policy::Grant& opened, const SessionWay& session,
                                     const RequestContext& context) {
  if (session.summary.opened == 0) return {};
  const auto plan = priv::plan_session_end(opened, context.trail.id());
  if (!plan) return {"failed: " + plan.error().line()};
  std::vector<std::string> words;
  const auto end_in = [&](priv::HostEffects& effects) {
    const auto raised = priv::NetAdminInEffect::raise();
    const auto deleted = priv::execute(*plan, effects);
    if (!deleted) words.push_back("failed: " + deleted.error().error.line());
  };
  end_in(context.effects);
  for (const auto& there : session.elsewhere) end_in(there->effects());
  if (words.empty()) words.emplace_back("the session's devices gone");
  const auto left = collect_leavings(context);
  words.insert(words.end(), left.begin(), left.end());
  return words;
}

constexpr int kEventInterval = 1000;  // milliseconds between two looks for what the caller is to hear of

// The rest of a session of the native protocol.
int hold_native_session(const policy::Grant& opened, SessionWay& session, const RequestContext& context,
                        const priv::TunSource& tuns) {
  std::optional<Error> error;
  const bool has_events = std::get<OpenSession>(opened.request()).events;
  while (session.summary.ended.empty()) {
    auto next = session.session.next(has_events ? kEventInterval : -1);
    if (auto* end = std::get_if<NativeSession::End>(&next)) {
      session.summary.ended = end->why;
      error = end->error;
    } else if (const auto* strange = std::get_if<Error>(&next)) {
      session.files.follow_log();
      if (const auto recorded = context.trail.not_understood(*strange, {}); !recorded)
        context.reply.remark(recorded.error());
      context.reply.refuse(*strange);
      if (strange->errnum == EMFILE) make_room(session, context);
    } else if (std::holds_alternative<NativeSession::NetworkChanged>(next)) {
      session.files.follow_log();
      if (!restore_lost(context)) session.session.want_another_look();
    } else if (std::holds_alternative<NativeSession::Idle>(next)) {
      session.files.follow_log();
    } else if (auto taken = answer_record(std::get<Message>(next), session, context, tuns); !taken) {
      session.summary.ended = "the caller did not take an answer";
      error = taken.error();
    }
    keep_tuns(session, TrustedOpener::kAhead);  // a request that was refused took none
    if (has_events) announce_policy_change(session, context);
  }
  const auto undone = end_session(opened, session, context);
  session.files.follow_log();
  priv::drop_net_admin();
  if (const auto recorded = context.trail.ended(opened, session.summary, undone, error); !recorded)
    return context.reply.give_up(recorded.error());
  return error ? context.reply.give_up(*error) : 0;
}

Result<policy::Policy> load_policy(const TrustedInputs& inputs) {
  if (!inputs.policy) return std::unexpected(inputs.policy.error());
  if (!inputs.accounts) return std::unexpected(inputs.accounts.error());
  return policy::load(*inputs.policy, *inputs.accounts);
}

// How often the request itself ties an fd to a device.
unsigned tuns_for(const Request& request) {
  if (const auto* open = std::get_if<OpenInterface>(&request)) return open->queues;
  return policy::counts_against_limits(request) && !std::holds_alternative<AddAddress>(request) ? 1 : 0;
}

std::unexpected<Error> fail_held_up(const std::string& what) {
  return fail(Code::busy, what + " while the request was held up", "Try again.");
}

// A request that was held up may have outlived the policy that it read, or the log that it opened. A rotated log takes
// lines for a moment longer, as those of requests that wait for one another.
Result<void> check_inputs(const TrustedInputs& inputs) {
  constexpr std::chrono::seconds kLogLasts{5};
  const auto age = boot_time() - inputs.opened_at;
  if (age > priv::kDecisionLasts && !inputs.policy_stamp.is_current()) return fail_held_up("the policy changed");
  if (age > kLogLasts && !inputs.log_stamp.is_current()) return fail_held_up("the audit log was rotated");
  return {};
}

bool needs_attendant(const Request& request) {
  const auto* open = std::get_if<OpenInterface>(&request);
  return std::holds_alternative<OpenSession>(request) || (open != nullptr && (open->sealed || open->netns));
}

int answer(const Call& call, const Peek& peeked, unique_fd& named, const policy::Caller& caller, TrustedInputs& inputs,
           std::optional<Result<SessionRoots>> roots, const std::optional<Announcer>& announcer, Reply& reply,
           audit::Trail& trail) {
  // The policy comes first, because it says who else is to get the lines of the log.
  auto policy = load_policy(inputs);
  if (policy && policy->journald) trail.copy_to(audit::Journal::connect());
  trail.add_summaries(inputs.accounts ? &*inputs.accounts : nullptr);
  const auto fit = reply.check();
  const auto no = [&](const Error& error) { return refuse(error, {}, reply, trail); };
  if (!call.request) return no(call.request.error());
  if (!fit) return no(fit.error());
  if (!policy) return no(policy.error());
  if (call.descriptor && *call.descriptor != peeked.descriptor)
    return no({Code::bug, 0, "the call's descriptor was taken for another", {}});
  const unsigned wanted = tuns_for(*call.request);
  if (wanted > 0 && !inputs.tun) return no(inputs.tun.error());
  if (roots && !*roots) return no(roots->error());
  if (roots) {
    inputs.policy_stamp = FileStamp(), inputs.log_stamp = FileStamp();  // they know themselves
    if (auto kept = (*roots)->remember(*inputs.policy); !kept) return no(kept.error());
  }
  std::vector<unique_fd> tuns;
  if (wanted > 0) tuns.push_back(*std::move(inputs.tun));
  inputs.tun = unique_fd();
  if (wanted > 1)
    if (auto prepared = (*roots)->prepare(*inputs.log, tuns, wanted); !prepared) return no(prepared.error());

  // What the filter lets nobody make: the process that moves an ethertap session's frames, and the one that does for
  // the native protocol what needs no privilege.
  std::optional<EthertapSession> ethertap;
  if (std::holds_alternative<OpenEthertap>(*call.request)) {
    auto prepared = EthertapSession::prepare(named, call.descriptor.value_or(-1), tuns.front().get());
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
                     .attendant = attendant ? attendant->channel() : -1,
                     .announcer = announcer ? announcer->channel() : -1};
  for (const auto& tun : tuns) fds.tuns.push_back(tun.get());
  if (ethertap) fds.session = ethertap->fds();
  if (roots) fds.opener = (*roots)->opener();
  fds.native_session = session.has_value();
  if (auto entered = priv::stage_filter(fds).enter(); !entered) return no(entered.error());

  priv::KernelEffects effects(tun_source, *socket);
  bool takes_records = false;
  const RequestContext context{.policy = *policy,
                               .caller = caller,
                               .lock_files = {.counters = inputs.refusals->file(), .log = inputs.log->fd()},
                               .socket = there ? there->socket() : *socket,
                               .effects = there ? there->effects() : effects,
                               .reply = reply,
                               .trail = trail,
                               .attendant = attendant,
                               .group = session ? priv::session_group(trail.id()) : 0,
                               .check_files = [&]() -> Result<void> {
                                 if (!roots) return check_inputs(inputs);
                                 if (auto followed = (*roots)->follow(*inputs.log); !followed) return followed;
                                 auto checked = (*roots)->check_policy();
                                 return checked || takes_records ? checked : fail_held_up("the policy changed");
                               },
                               .announcer = announcer ? &*announcer : nullptr};
  auto done = run_request(*call.request, context);
  if (!done) {
    ethertap.reset();  // and with the relay the device, if there was one
    return reply.refuse(done.error());
  }
  const auto taken = deliver_reply(*call.request, *done, context);
  if (!taken && is_taken_back_unheard(*call.request)) return reply.give_up(taken.error());
  if (!ethertap && !session) priv::drop_net_admin();
  if (const auto recorded = record_done(*done, context); !recorded) return reply.give_up(recorded.error());
  if (!ethertap && !session) return taken ? 0 : reply.give_up(taken.error());
  const SessionFiles files{.roots = **roots, .log = *inputs.log, .policy = *policy, .accounts = *inputs.accounts};
  if (ethertap) return hold_session(*ethertap, *done, files, context);
  takes_records = true;
  SessionWay session_way{.session = *session, .files = files, .tuns = tuns};
  return hold_native_session(done->grant, session_way, context, tun_source);
}

// Nothing where the installation has no CAP_NET_RAW, or no process can be had: then the answer says so.
std::optional<Announcer> start_announcer() {
  const auto packets = priv::open_packet_socket();
  if (!packets) return std::nullopt;
  auto started = Announcer::start(packets->get());
  return started ? std::optional(*std::move(started)) : std::nullopt;
}

int serve(int argc, const char* const* argv) {
  const auto started = std::chrono::steady_clock::now();

  // 1. Nothing of the caller's arrangements stays in force but what the request names, and no capability is in effect.
  const Peek peeked = peek(argc, argv);
  if (auto lowered = priv::lower_everything(peeked.may_publish); !lowered) return give_up(lowered.error());
  auto named = leave_callers_world(peeked.descriptor);

  // 2. What needs the identity of the installation is opened with it, and is the same for all requests of a kind.
  std::optional<Result<SessionRoots>> roots;
  std::optional<TrustedInputs> inputs;
  std::optional<Announcer> announcer;
  if (named && !peeked.is_help) {
    // Processes first: until one has had its turn it has copies of what was open when it was made.
    if (peeked.needs_opener()) roots = SessionRoots::begin(!peeked.is_ethertap);
    if (peeked.may_publish) announcer = start_announcer();
    inputs = open_trusted_inputs();
  }
  const auto apart = inputs && inputs->log ? keep_words_out_of(inputs->log->fd()) : Result<void>();

  // 3. Then the process is its caller, for good. CAP_NET_ADMIN stays permitted, and is not in effect. From here on the
  // arguments are looked at.
  auto caller = become_caller();
  const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const Call call = parse_call(arguments);
  Reply reply(call.reply, named ? named->get() : -1);
  if (!named) return reply.give_up(named.error());
  if (peeked.is_help && (caller || caller.error().code == Code::not_privileged)) return print_help(argv[1]);
  const auto refuse_unrecorded = [&](const Error& error) {
    return reply.check() ? reply.refuse(error) : reply.give_up(error);
  };
  if (!caller) return refuse_unrecorded(caller.error());
  if (!inputs->log) {
    if (inputs->refusals) inputs->refusals->count_missing(caller->uid, std::chrono::system_clock::now());
    return refuse_unrecorded(in_user_namespace().value_or(inputs->log.error()));
  }
  if (!apart) return refuse_unrecorded(apart.error());
  if (!inputs->refusals) return refuse_unrecorded(inputs->refusals.error());

  // 4. All that follows is on record.
  std::array<std::uint8_t, 16> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return reply.give_up({Code::kernel, errno, "cannot get random bytes for the request's id", {}});
  if (inputs->accounts) caller->user = inputs->accounts->name_of(caller->uid);
  audit::Trail trail(*inputs->log, *inputs->refusals, RequestId(random), *caller, call, arguments, started);
  reply.set_id(trail.id());
  try {
    return answer(call, peeked, *named, *caller, *inputs, std::move(roots), announcer, reply, trail);
  } catch (const std::exception& exception) {
    return refuse({Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."}, {}, reply,
                  trail);
  }
}

}  // namespace
}  // namespace umlnet

int main(int argc, char** argv) try { return umlnet::serve(argc, argv); } catch (const std::exception& exception) {
  return umlnet::give_up(
      {umlnet::Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."});
}
