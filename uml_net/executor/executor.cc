#include "uml_net/executor/executor.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "libumlnet/core/boot_time.h"
#include "policy/decide.h"
#include "policy/lan_devices.h"
#include "policy/load.h"
#include "uml_net/executor/ethertap_records.h"
#include "uml_net/executor/native_records.h"
#include "uml_net/executor/run_request.h"
#include "uml_net/executor/target_namespace.h"
#include "uml_net/priv/kernel_effects.h"
#include "uml_net/priv/plan.h"
#include "uml_net/priv/request_filter.h"
#include "uml_net/priv/rtnetlink_socket.h"
#include "uml_net/recorder/audit_trail.h"
#include "uml_net/startup/identity.h"
#include "uml_net/sys/capability.h"
#include "uml_net/worker/caller_worker.h"

namespace umlnet {
namespace {

Result<policy::Policy> load_policy(const TrustedInputs& inputs) {
  if (!inputs.policy) return std::unexpected(inputs.policy.error());
  if (!inputs.accounts) return std::unexpected(inputs.accounts.error());
  return policy::load(*inputs.policy, *inputs.accounts);
}

// How often the request itself ties an fd to a device.
unsigned tuns_for(const Request& request) {
  if (const auto* open = std::get_if<OpenInterface>(&request)) return open->queues;
  return traits_of(request).makes_device ? 1 : 0;
}

std::unexpected<Error> fail_held_up(const std::string& what) {
  return fail(Code::busy, what + " while the request was held up", "Try again.");
}

// A request that was held up may have outlived the policy that it read, or the log that it opened. A rotated log takes
// lines for a moment longer, as those of requests that wait for one another.
Result<void> check_inputs(const TrustedInputs& inputs) {
  constexpr std::chrono::seconds kLogLasts{5};
  const auto age = boot_time() - inputs.opened_at;
  if (age > priv::kDecisionLasts && !inputs.policy_fingerprint.is_current()) return fail_held_up("the policy changed");
  if (age > kLogLasts && !inputs.log_fingerprint.is_current()) return fail_held_up("the audit log was rotated");
  return {};
}

bool needs_caller_worker(const Request& request) {
  const auto* open = std::get_if<OpenInterface>(&request);
  return std::holds_alternative<OpenSession>(request) || (open != nullptr && (open->sealed || open->netns));
}

// What the front says that the caller asks for.
Call call_of(const Said& said) {
  Call call{.protocol = said.protocol <= static_cast<std::uint8_t>(Protocol::qemu_bridge)
                            ? static_cast<Protocol>(said.protocol)
                            : Protocol::none,
            .operation = operation_word(said.operation),
            .request = std::unexpected(decode(said.error))};
  if (said.what != Says::request && said.what != Says::misfit) return call;
  if (auto request = decode(said.request)) {
    call.request = *std::move(request);
    call.operation = request_name(*call.request);
    if (said.descriptor >= 0) call.descriptor = said.descriptor;
  } else {
    call.request = fail(Code::bug, "the process that talks to the caller asks for what no words say");
  }
  return call;
}

// A front that has been taken over may ask for what the call's own words do not say, for which nothing was prepared.
bool is_as_peeked(const Request& request, const Said& said, const Peek& peeked) {
  const bool is_session = std::holds_alternative<OpenSession>(request);
  const bool is_ethertap = std::holds_alternative<OpenEthertap>(request);
  if (is_session != peeked.is_session || is_ethertap != peeked.is_ethertap) return false;
  if (said.descriptor >= 0 && said.descriptor != peeked.descriptor) return false;
  return tuns_for(request) <= 1 || peeked.needs_opener();
}

int answer(const Call& call, const Said& said, Startup& startup, Result<policy::Policy> policy, FrontLink& front,
           audit::Trail& trail) {
  auto& [peeked, named, inputs, roots, announcer, caller_of_call, arguments, began] = startup;
  const policy::Caller& caller = *caller_of_call;
  const auto refuse = [&](const Error& error) {
    front.note(trail.refused(error, {}));
    front.refuse(error);
    return front.end();
  };
  if (!call.request || said.what != Says::request) {
    const Error error = call.request ? decode(said.error) : call.request.error();
    if (said.what == Says::request) return refuse(error);
    front.note(trail.refused(error, {}));
    front.refuse_as_said();
    return front.end();
  }
  if (!policy) return refuse(policy.error());
  if (!is_as_peeked(*call.request, said, peeked))
    return refuse({Code::bug, 0, "the process that talks to the caller asks for what the call does not say", {}});
  const unsigned wanted = tuns_for(*call.request);
  if (wanted > 0 && !inputs.tun) return refuse(inputs.tun.error());
  if (roots && !*roots) return refuse(roots->error());
  if (roots) {
    inputs.policy_fingerprint = FileStamp(), inputs.log_fingerprint = FileStamp();  // they know themselves
    if (auto kept = (*roots)->remember(*inputs.policy); !kept) return refuse(kept.error());
  }
  std::vector<unique_fd> tuns;
  if (wanted > 0) tuns.push_back(*std::move(inputs.tun));
  inputs.tun = unique_fd();
  if (wanted > 1)
    if (auto prepared = (*roots)->prepare(*inputs.log, tuns, wanted); !prepared) return refuse(prepared.error());

  // What the filter lets nobody make: the process that moves an ethertap session's frames, and the one that does for
  // the native protocol what needs no privilege.
  std::optional<EthertapSession> ethertap;
  if (std::holds_alternative<OpenEthertap>(*call.request)) {
    auto prepared = EthertapSession::prepare(named, call.descriptor.value_or(-1), tuns.front().get());
    if (!prepared) return refuse(prepared.error());
    ethertap.emplace(*std::move(prepared));
  }
  std::optional<NativeSession> session;
  if (std::holds_alternative<OpenSession>(*call.request)) {
    auto prepared = NativeSession::prepare();
    if (!prepared) return refuse(prepared.error());
    session.emplace(*std::move(prepared));
  }
  std::optional<CallerWorker> caller_worker;
  if (needs_caller_worker(*call.request)) {
    auto started = CallerWorker::start();
    if (!started) return refuse(started.error());
    caller_worker.emplace(*std::move(started));
  }

  auto socket = priv::RtnetlinkSocket::open();
  if (!socket) return refuse(socket.error());
  const priv::TunSource tun_source = [&tuns]() -> Result<unique_fd> {
    if (tuns.empty()) return fail(Code::bug, "there are more queues than descriptors on /dev/net/tun");
    unique_fd tun = std::move(tuns.front());
    tuns.erase(tuns.begin());
    return tun;
  };
  socket->grammar().set_lans(
      [&](std::string_view name) { return caller.uid == 0 || policy::is_lan_of_any(*policy, name); });
  // A request may name another network namespace, which then is its host.
  std::unique_ptr<TargetNamespace> there;
  const auto* open = std::get_if<OpenInterface>(&*call.request);
  if (open != nullptr && open->netns) {
    auto reached = TargetNamespace::reach(named, caller.uid, *caller_worker, tun_source, *socket);
    if (!reached) return refuse(reached.error());
    there = *std::move(reached);
  }

  // From here on the filter lets through only what the change, the reply and the record need.
  priv::RequestFilterFds fds{.tuns = {},
                             .rtnetlink = socket->fd(),
                             .front = front.channel(),
                             .front_pid = front.pid(),
                             .audit = inputs.log->fd(),
                             .counters = inputs.refusals->file(),
                             .journal = trail.journal_fd(),
                             .target_namespace = there ? there->socket().fd() : -1,
                             .caller_worker = caller_worker ? caller_worker->channel() : -1,
                             .announcer = announcer ? announcer->channel() : -1};
  for (const auto& tun : tuns) fds.tuns.push_back(tun.get());
  if (ethertap) fds.session = ethertap->fds();
  if (roots) fds.opener = (*roots)->opener();
  fds.native_session = session.has_value();
  if (auto entered = priv::request_filter(fds).enter(); !entered) return refuse(entered.error());

  priv::KernelEffects effects(tun_source, *socket);
  bool takes_records = false;
  const RequestContext context{.policy = *policy,
                               .caller = caller,
                               .lock_files = {.counters = inputs.refusals->file(), .log = inputs.log->fd()},
                               .socket = there ? there->socket() : *socket,
                               .effects = there ? there->effects() : effects,
                               .front = front,
                               .trail = trail,
                               .caller_worker = caller_worker,
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
    front.refuse(done.error());
    return front.end();
  }
  const auto taken = deliver_reply(*call.request, *done, context);
  const auto fail_late = [&](const Error& error) {
    front.fail_late(error);
    return front.end();
  };
  if (!taken && traits_of(*call.request).is_undone) return fail_late(taken.error());
  if (!ethertap && !session) priv::drop_net_admin();
  if (const auto recorded = record_done(*done, context); !recorded) return fail_late(recorded.error());
  front.done();
  if (!ethertap && !session) return front.end();
  const SessionInputs files{.roots = **roots, .log = *inputs.log, .policy = *policy, .accounts = *inputs.accounts};
  if (ethertap) return hold_ethertap_session(*ethertap, *done, files, context);
  takes_records = true;
  return hold_native_session(done->grant, *session, files, tuns, tun_source, context);
}

// Nothing is on record of what goes wrong before there is a log and a caller.
std::optional<Error> unfit(const Startup& startup) {
  if (!startup.caller) return startup.caller.error();
  if (!startup.inputs.log) return in_user_namespace().value_or(startup.inputs.log.error());
  if (!startup.inputs.refusals) return startup.inputs.refusals.error();
  return std::nullopt;
}

}  // namespace

int execute_call(Startup& startup, FrontLink& front) {
  if (startup.peeked.is_bridge) startup.named.reset();  // it is for the answer, and so the front's
  TrustedInputs& inputs = startup.inputs;
  if (const auto error = unfit(startup)) {
    if (startup.caller && !inputs.log && inputs.refusals)
      inputs.refusals->count_missing(startup.caller->uid, std::chrono::system_clock::now());
    [[maybe_unused]] const auto first = front.next();
    front.refuse(*error);
    return front.end();
  }
  std::array<std::uint8_t, 16> random{};
  const bool is_random = ::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size());
  if (inputs.accounts) startup.caller->user = inputs.accounts->name_of(startup.caller->uid);
  // The front reads the caller's words meanwhile.
  auto policy = load_policy(inputs);
  const auto first = front.next();
  if (!is_random) {
    front.refuse({Code::kernel, errno, "cannot get random bytes for the request's id", {}});
    return front.end();
  }
  const Said said = first ? first->said : Said{.what = Says::not_understood, .error = encode(first.error())};
  const Call call = call_of(said);
  audit::Trail trail(*inputs.log, *inputs.refusals, RequestId(random), *startup.caller, call, startup.arguments,
                     startup.started);
  front.set_id(trail.id());
  try {
    // The policy comes first, because it says who else is to get the lines of the log.
    if (policy && policy->journald) trail.copy_to(audit::Journal::connect());
    trail.add_summaries(inputs.accounts ? &*inputs.accounts : nullptr);
    return answer(call, said, startup, std::move(policy), front, trail);
  } catch (const std::exception& exception) {
    const Error error{Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."};
    front.note(trail.refused(error, {}));
    front.refuse(error);
    return front.end();
  }
}

}  // namespace umlnet
