#include "uml_net/executor/run_request.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "libumlnet/core/boot_time.h"
#include "policy/host_state_scope.h"
#include "policy/without.h"
#include "uml_net/executor/read_host_state.h"
#include "uml_net/priv/plan.h"
#include "uml_net/sys/capability.h"

namespace umlnet {
namespace {

using priv::Plan;

constexpr const char* kNotAnnounced =
    "a machine on the LAN may need a minute to find a guest that moved: uml_net has no CAP_NET_RAW to announce it";
constexpr const char* kAnnouncerGone =
    "a machine on the LAN may need a minute to find a guest that moved: the process that announces it does not answer";
constexpr int kMostDecisions = 5;  // of one request that is held up time and again

// Takes back what was done, by the host's state as it is now, and puts on record why.
void roll_back(const policy::Grant& grant, priv::Outcome outcome, Error& why, const RequestContext& context) {
  const auto now = read_host_state(context.socket, policy::HostStateScope::everything);
  const auto taken = [&] {
    const auto raised = priv::ScopedNetAdmin::raise();
    // The caller's worker may have been stopped with a copy.
    const auto* open = std::get_if<OpenInterface>(&grant.request());
    const auto handed = open != nullptr && open->sealed ? priv::Handed::maybe : priv::Handed::no;
    return priv::rollback(std::move(outcome), now ? &*now : nullptr, context.effects, handed);
  }();
  for (const auto& failure : taken.failures) why.what += " (and taking back what was done: " + failure + ")";
  context.front.note(context.recorder.failed(grant, why, taken.words()));
}

// Carries a plan out: no change without a line in the log before it, no privilege in effect but during the change. A
// failure is on record, and what was done before it is taken back.
std::expected<priv::Outcome, priv::Failure> apply(const Plan& plan, const RequestContext& context) {
  if (auto recorded = context.recorder.intend(plan.grant()); !recorded)
    return std::unexpected(priv::Failure{std::move(recorded.error())});
  auto outcome = [&]() -> std::expected<priv::Outcome, priv::Failure> {
    const auto raised = priv::ScopedNetAdmin::raise();
    if (!raised) return std::unexpected(priv::Failure{raised.error()});
    return priv::execute(plan, context.effects);
  }();
  if (!outcome) roll_back(plan.grant(), std::exchange(outcome.error().done, {}), outcome.error().error, context);
  return outcome;
}

// Announces what was published. False where that was not done for each address.
bool announce(const priv::Outcome& outcome, const policy::HostState& host, const RequestContext& context) {
  bool are_announced = true;
  for (const auto& change : outcome.changes) {
    const auto* published = std::get_if<priv::AddProxyNeigh>(&change);
    const auto* lan = published != nullptr ? host.link(published->lan.ifindex) : nullptr;
    if (lan == nullptr || !lan->mac) continue;
    are_announced &=
        context.announcer != nullptr && context.announcer->announce(lan->ifindex, *lan->mac, published->address);
  }
  return are_announced;
}

// The host's state, after what is amiss on it was put right: what guests that are gone left behind is removed, and what
// a guest that is there lost is restored. Each caller does it in each request: what is removed is nobody's, and what is
// restored was granted before.
Result<policy::HostState> read_tidy_host(const Request& request, const RequestContext& context) {
  auto host = read_host_state(context.socket, request);
  if (!host || !policy::has_garbage(*host)) return host;
  const auto grant = policy::decide(context.policy, context.caller, CollectGarbage{}, *host);
  if (!grant) return host;
  const auto plan = priv::make_plan(*grant, context.recorder.id(), *host);
  if (!plan) return std::unexpected(plan.error());
  const auto outcome = apply(*plan, context);
  if (!outcome) return std::unexpected(outcome.error().error);
  announce(*outcome, *host, context);
  if (const auto recorded = context.recorder.done(*grant, *outcome); !recorded)
    return std::unexpected(recorded.error());
  return read_host_state(context.socket, request);
}

// Looks at the host again after a change. The request must be one that is granted still, by the same policy, on a host
// that has all that others made meanwhile; else this is why not. And what the change took from others comes back.
Result<void> look_again(const Request& request, const priv::Outcome& outcome, const RequestContext& context) {
  auto host = read_tidy_host(request, context);
  if (!host) return std::unexpected(std::move(host.error()));
  if (!traits_of(request).is_undone) return {};
  if (auto checked = context.recorder.check(); !checked) return checked;
  if (outcome.tap)
    policy::forget_device(*host, outcome.tap->ifindex);
  else if (const auto* add = std::get_if<AddAddress>(&request))
    policy::forget_guest(*host, add->address, outcome.device.ifindex);
  const auto granted = policy::decide(context.policy, context.caller, request, *host);
  if (granted) return {};
  Error why = granted.error().error;
  why.advice = "Another request was quicker, and what was done is taken back.";
  return std::unexpected(std::move(why));
}

// Where the caller is not to have an fd of the device: the other end of its relay's socket.
Result<void> seal(const Request& request, priv::Outcome& outcome, const RequestContext& context) {
  const auto* open = std::get_if<OpenInterface>(&request);
  if (open == nullptr || !open->sealed) return {};
  if (!context.caller_worker || !outcome.tap) return fail(Code::bug, "there is nothing to seal, or nobody to do it");
  auto socket = context.caller_worker->seal(outcome.tap->queues.front().get());
  if (!socket) return std::unexpected(std::move(socket.error()));
  outcome.sealed = *std::move(socket);
  return {};
}

// Nothing where the decision expired before it was carried out.
Result<std::optional<GrantedRequest>> decide_and_apply(const Request& request, const RequestContext& context) {
  const auto refused = [&](const Error& error, const std::string& rule) {
    context.front.note(context.recorder.refused(error, rule, request));
    return std::unexpected(error);
  };
  const auto since = boot_time();
  const bool is_exclusive = policy::counts_against_limits(request) && context.caller.uid != 0;  // root has no limits
  const auto turn = context.recorder.take_turn(is_exclusive);
  if (!turn) return refused(turn.error(), {});
  const bool is_gc = std::holds_alternative<CollectGarbage>(request);
  auto host = is_gc ? read_host_state(context.socket, request) : read_tidy_host(request, context);
  if (!host) return refused(host.error(), {});
  host->read_at = std::min(host->read_at, since);
  auto grant = policy::decide(context.policy, context.caller, request, *host);
  if (!grant) return refused(grant.error().error, grant.error().rule);
  const auto plan = priv::make_plan(*grant, context.recorder.id(), *host, context.group);
  if (!plan) return refused(plan.error(), grant->rule());

  if (plan->changes().empty()) {
    auto outcome = priv::execute(*plan, context.effects);
    if (!outcome) return refused(outcome.error().error, grant->rule());
    if (auto recorded = context.recorder.unchanged(*grant, *outcome); !recorded)
      return std::unexpected(std::move(recorded.error()));
    return GrantedRequest{*std::move(grant), *std::move(outcome), true};
  }
  auto outcome = apply(*plan, context);
  if (!outcome && outcome.error().has_expired) return std::nullopt;
  if (!outcome) return std::unexpected(std::move(outcome.error().error));
  const auto settle = [&]() -> Result<void> {
    try {
      auto looked = look_again(request, *outcome, context);
      return looked ? seal(request, *outcome, context) : looked;
    } catch (const std::exception& exception) {  // for want of memory: what was done is not to stay
      return fail(Code::bug, std::string("uml_net failed: ") + exception.what());
    }
  };
  auto settled = settle();
  if (!settled) {
    roll_back(*grant, *std::move(outcome), settled.error(), context);
    return std::unexpected(std::move(settled.error()));
  }
  if (!announce(*outcome, *host, context)) {
    const std::string note = context.announcer == nullptr ? kNotAnnounced : kAnnouncerGone;
    outcome->notes.push_back(note);
    outcome->text += note + "\n";
  }
  return GrantedRequest{*std::move(grant), *std::move(outcome), false};
}

}  // namespace

Result<GrantedRequest> run_request(const Request& request, const RequestContext& context) {
  for (int decisions = 0; decisions < kMostDecisions; ++decisions) {
    auto done = decide_and_apply(request, context);
    if (!done) return std::unexpected(std::move(done.error()));
    if (*done) return **std::move(done);
  }
  const Error held_up{Code::busy, 0, "the request was held up, and each decision on it expired", "Try again."};
  context.front.note(context.recorder.refused(held_up, {}, request));
  return std::unexpected(held_up);
}

Result<void> record_done(const GrantedRequest& done, const RequestContext& context) {
  return done.is_recorded ? Result<void>() : context.recorder.done(done.grant, done.outcome);
}

Result<void> deliver_reply(const Request& request, GrantedRequest& done, const RequestContext& context) {
  auto taken = context.front.grant(request, done.outcome);
  if (taken && !done.outcome.remaining.empty()) {
    const auto raised = priv::ScopedNetAdmin::raise();
    taken = raised ? priv::complete(done.outcome, context.effects) : std::unexpected(raised.error());
  }
  if (taken || done.is_recorded || !traits_of(request).is_undone) return taken;
  const auto now = read_host_state(context.socket, policy::HostStateScope::everything);
  const auto raised = priv::ScopedNetAdmin::raise();
  const auto back =
      priv::rollback(std::move(done.outcome), now ? &*now : nullptr, context.effects, priv::Handed::maybe);
  context.front.note(context.recorder.rolled_back(done.grant, taken.error(), back.words()));
  done.is_recorded = true;
  return taken;
}

bool restore_lost(const RequestContext& context) {
  // There may be no other event, nor a request, to do what expired here.
  for (int decisions = 0; decisions < kMostDecisions; ++decisions) {
    const auto host = read_tidy_host(CollectGarbage{}, context);
    const bool is_settled = host ? !policy::has_garbage(*host) || decisions > 0 : host.error().code != Code::busy;
    if (is_settled) return true;
  }
  return false;
}

std::vector<std::string> collect_leavings(const RequestContext& context) {
  const auto host = read_host_state(context.socket, CollectGarbage{});
  if (!host) return {"failed: " + host.error().line()};
  const auto grant = policy::decide(context.policy, context.caller, CollectGarbage{}, *host);
  const auto plan =
      grant ? priv::make_plan(*grant, context.recorder.id(), *host) : fail(Code::bug, "gc is not granted");
  const auto raised = priv::ScopedNetAdmin::raise();
  if (!plan || !raised) return {"failed: what is left is removed by the next request"};
  const auto outcome = priv::execute(*plan, context.effects);
  if (!outcome) return {"failed: " + outcome.error().error.line()};
  return outcome->words;
}

}  // namespace umlnet
