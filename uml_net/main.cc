// uml_net: the way of one request, from top to bottom. Each step is one function of the file that is named for it.
//
//   argv -> Call -> decide(policy, caller, request, host) -> Grant -> execute -> Outcome -> reply and audit log
//
// An ethertap session opens in this way, and each record of its control stream then takes the way from decide on.

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/call.h"
#include "libumlnet/core/uml4_control.h"
#include "policy/decide.h"
#include "policy/extent.h"
#include "policy/load.h"
#include "uml_net/audit_trail.h"
#include "uml_net/caller_lock.h"
#include "uml_net/ethertap_session.h"
#include "uml_net/help.h"
#include "uml_net/identity.h"
#include "uml_net/priv/capability.h"
#include "uml_net/priv/execute.h"
#include "uml_net/priv/kernel_effects.h"
#include "uml_net/priv/plan.h"
#include "uml_net/priv/rtnetlink_socket.h"
#include "uml_net/priv/stage_filter.h"
#include "uml_net/read_host_state.h"
#include "uml_net/reply.h"
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
  int log;  // the audit log, for the caller's lock
  priv::RtnetlinkSocket& socket;
  priv::HostEffects& effects;
  Reply& reply;
  audit::Trail& trail;
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
    auto taken = CallerLock::take(way.log, way.caller.uid);
    if (!taken) return refused(taken.error(), {});
    lock.emplace(*std::move(taken));
  }
  const bool is_gc = std::holds_alternative<CollectGarbage>(request);
  const auto host = is_gc ? read_host_state(way.socket, policy::extent_of(request)) : read_clean_host(request, way);
  if (!host) return refused(host.error(), {});
  auto grant = policy::decide(way.policy, way.caller, request, *host);
  if (!grant) return refused(grant.error().error, grant.error().rule);
  const auto plan = priv::make_plan(*grant, way.trail.id(), *host);
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
  // The lock stands in the log, and the log may have been rotated between two requests: then there were two locks.
  if (counts && priv::adds_to_holdings(*plan))
    if (auto within = check_limits(*grant, way); !within) {
      undo(*grant, *std::move(outcome), within.error(), way);
      return std::unexpected(std::move(within.error()));
    }
  return Fulfilled{*std::move(grant), *std::move(outcome), false};
}

Result<void> record_done(const Fulfilled& done, const Way& way) {
  return done.recorded ? Result<void>() : way.trail.done(done.grant, done.outcome);
}

// Adding and making are taken back where the caller did not take the reply. What was removed at a caller's wish stays
// removed.
bool is_taken_back_unheard(const Request& request) {
  return !std::holds_alternative<DeleteAddress>(request) && !std::holds_alternative<CollectGarbage>(request);
}

// What a session did to the host, undone: the device goes with its last fd, its routes go with the device, and what
// they leave on other devices is garbage.
std::vector<std::string> undo_session(priv::Outcome& opened, const Way& way) {
  opened.tap.reset();
  const auto host = read_host_state(way.socket, policy::extent_of(CollectGarbage{}));
  if (!host) return {"failed: " + host.error().line()};
  const auto grant = policy::decide(way.policy, way.caller, CollectGarbage{}, *host);
  const auto plan = grant ? priv::make_plan(*grant, way.trail.id(), *host) : Result<priv::Plan>();
  const auto raised = priv::NetAdminInEffect::raise();
  if (!grant || !plan || !raised) return {"failed: what is left is removed by the next request"};
  auto words = std::vector{opened.device.name + " gone"};
  const auto outcome = priv::execute(*grant, *plan, *host, way.effects);
  if (!outcome) return {"failed: " + outcome.error().line()};
  words.insert(words.end(), outcome->words.begin(), outcome->words.end());
  return words;
}

// The rest of an ethertap session: each control record takes the way of a request of its own.
int hold_session(EthertapSession& session, Fulfilled& opened, const Way& way) {
  const IfName device = opened.outcome.tap->name;
  unsigned added = 0, removed = 0;
  const auto end = session.hold([&](const uml4::ControlRecord& record) -> std::string {
    const auto request = uml4::request_of(record, device);
    if (!request) {
      way.trail.add_summaries(nullptr);
      if (const auto recorded = way.trail.refused(request.error(), {}); !recorded) way.reply.remark(recorded.error());
      return told(request.error());
    }
    way.trail.add_summaries(nullptr);
    const auto done = fulfil(*request, way);
    if (!done) return told(done.error());
    (std::holds_alternative<AddAddress>(*request) ? added : removed) += done->outcome.changes.empty() ? 0 : 1;
    if (const auto recorded = record_done(*done, way); !recorded) way.reply.remark(recorded.error());
    return done->outcome.text;
  });
  const auto dropped = read_tx_dropped(way.socket, device.str());
  const auto undone = undo_session(opened.outcome, way);
  priv::drop_net_admin();
  const auto summary = audit::summary_of(session.counters(), end.why, dropped, added, removed);
  if (const auto recorded = way.trail.ended(opened.grant, opened.outcome, summary, undone, end.error); !recorded)
    return way.reply.give_up(recorded.error());
  return end.error ? way.reply.give_up(*end.error) : 0;
}

Result<policy::Policy> load_policy(const TrustedInputs& inputs) {
  if (!inputs.policy) return std::unexpected(inputs.policy.error());
  if (!inputs.accounts) return std::unexpected(inputs.accounts.error());
  return policy::load(*inputs.policy, *inputs.accounts);
}

int answer(const Call& call, const unique_fd& socket_named, const policy::Caller& caller, TrustedInputs& inputs,
           Reply& reply, audit::Trail& trail) {
  // The policy comes first, because it says who else is to get the lines of the log.
  const auto policy = load_policy(inputs);
  if (policy && policy->journald) trail.copy_to(audit::Journal::connect());
  trail.add_summaries(inputs.accounts ? &*inputs.accounts : nullptr);
  const auto fit = reply.check();
  if (!call.request) return refuse(call.request.error(), {}, reply, trail);
  if (!fit) return refuse(fit.error(), {}, reply, trail);
  if (!policy) return refuse(policy.error(), {}, reply, trail);

  // An ethertap session moves frames in a process of its own, and the filter lets nobody make one.
  std::optional<EthertapSession> session;
  if (std::holds_alternative<OpenEthertap>(*call.request)) {
    auto prepared = EthertapSession::prepare(socket_named, call.descriptor.value_or(-1), inputs.tun);
    if (!prepared) return refuse(prepared.error(), {}, reply, trail);
    session.emplace(*std::move(prepared));
  }

  // From here on the filter lets through only what the change, the reply and the record need.
  auto socket = priv::RtnetlinkSocket::open();
  if (!socket) return refuse(socket.error(), {}, reply, trail);
  const priv::StageFds fds{.tun = inputs.tun ? inputs.tun->get() : -1,
                           .rtnetlink = socket->fd(),
                           .reply = reply.fd(),
                           .audit = inputs.log->fd(),
                           .journal = trail.journal_fd(),
                           .session = session ? std::optional(session->fds()) : std::nullopt};
  if (auto entered = priv::stage_filter(fds).enter(); !entered) return refuse(entered.error(), {}, reply, trail);

  priv::KernelEffects effects(std::move(inputs.tun), *socket);
  const Way way{*policy, caller, inputs.log->fd(), *socket, effects, reply, trail};
  auto done = fulfil(*call.request, way);
  if (!done) {
    session.reset();  // and with the relay the device, if there was one
    return reply.refuse(done.error());
  }

  const auto taken = reply.grant(done->outcome);
  if (!taken && !done->recorded && is_taken_back_unheard(*call.request)) {
    const auto raised = priv::NetAdminInEffect::raise();
    const auto left = priv::take_back(std::move(done->outcome), effects);
    if (const auto recorded = trail.taken_back(done->grant, taken.error(), left); !recorded)
      reply.remark(recorded.error());
    return reply.give_up(taken.error());
  }
  if (!session) priv::drop_net_admin();
  if (const auto recorded = record_done(*done, way); !recorded) return reply.give_up(recorded.error());
  if (session) return hold_session(*session, *done, way);
  return taken ? 0 : reply.give_up(taken.error());
}

int serve(Words arguments) {
  const auto started = std::chrono::steady_clock::now();

  // 1. Nothing of the caller's arrangements stays in force but what the request names, and no capability is in effect.
  if (auto lowered = priv::lower_everything(); !lowered) return give_up(lowered.error());
  const Call call = parse_call(arguments);
  const auto socket_named = leave_callers_world(call.descriptor);
  Reply reply(call.reply, socket_named ? socket_named->get() : -1);
  if (!socket_named) return reply.give_up(socket_named.error());

  if (is_help(arguments)) {
    if (const auto caller = become_caller(); !caller) return reply.give_up(caller.error());
    return print_help(arguments);
  }

  // 2. What needs the identity of the installation is opened with it.
  TrustedInputs inputs = open_trusted_inputs();
  const auto apart = inputs.log ? keep_words_out_of(inputs.log->fd()) : Result<void>();

  // 3. Then the process is its caller, for good. CAP_NET_ADMIN stays permitted, and is not in effect.
  auto caller = become_caller();
  const auto refuse_unrecorded = [&](const Error& error) {
    return reply.check() ? reply.refuse(error) : reply.give_up(error);
  };
  if (!caller) return refuse_unrecorded(caller.error());
  if (!inputs.log) return refuse_unrecorded(inputs.log.error());
  if (!apart) return refuse_unrecorded(apart.error());
  if (!inputs.refusals) return refuse_unrecorded(inputs.refusals.error());

  // 4. All that follows is on record.
  std::array<std::uint8_t, 16> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return reply.give_up({Code::kernel, errno, "cannot get random bytes for the request's id", {}});
  if (inputs.accounts) caller->user = inputs.accounts->name_of(caller->uid);
  audit::Trail trail(*inputs.log, *inputs.refusals, RequestId(random), *caller, call, arguments, started);
  try {
    return answer(call, *socket_named, *caller, inputs, reply, trail);
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
