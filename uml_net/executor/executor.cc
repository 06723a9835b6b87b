#include "uml_net/executor/executor.h"

#include <unistd.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policy/decide.h"
#include "policy/lan_devices.h"
#include "policy/loader/load.h"
#include "uml_net/executor/ethertap_records.h"
#include "uml_net/executor/native_records.h"
#include "uml_net/executor/run_request.h"
#include "uml_net/executor/target_namespace.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/filters.h"
#include "uml_net/priv/kernel_effects.h"
#include "uml_net/priv/plan.h"
#include "uml_net/priv/rtnetlink_socket.h"
#include "uml_net/startup/identity.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/keep_fds.h"
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

bool needs_caller_worker(const Request& request) {
  const auto* open = std::get_if<OpenInterface>(&request);
  return std::holds_alternative<OpenSession>(request) || (open != nullptr && (open->sealed || open->netns));
}

const filters::Filter& filter_for(const Request& request) {
  if (std::holds_alternative<OpenEthertap>(request)) return filters::kController;
  if (std::holds_alternative<OpenSession>(request)) return filters::kNativeSession;
  return std::holds_alternative<OpenInterface>(request) ? filters::kOneShotOpen : filters::kOneShot;
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
  return tuns_for(request) <= 1 || peeked.is_lasting();
}

int answer(const Call& call, const Said& said, Startup& startup, Result<policy::Policy> policy, FrontLink& front,
           RecorderLink& recorder) {
  auto& [peeked, named, inputs, tun, caller, announcer] = startup;
  const auto refuse = [&](const Error& error) {
    front.note(recorder.refused(error, {}));
    front.refuse(error);
    return front.end();
  };
  if (!call.request || said.what != Says::request) {
    const Error error = call.request ? decode(said.error) : call.request.error();
    if (said.what == Says::request) return refuse(error);
    front.note(recorder.refused(error, {}));
    front.refuse_as_said();
    return front.end();
  }
  if (!policy) return refuse(policy.error());
  if (!is_as_peeked(*call.request, said, peeked))
    return refuse({Code::bug, 0, "the process that talks to the caller asks for what the call does not say", {}});
  const unsigned wanted = tuns_for(*call.request);
  if (wanted > 0 && !tun) return refuse(tun.error());
  std::vector<unique_fd> tuns;
  if (wanted > 0) tuns.push_back(*std::move(tun));
  tun = unique_fd();

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

  auto socket = priv::RtnetlinkSocket::open(fd_number::kRtnetlink);
  if (!socket) return refuse(socket.error());
  const priv::TunSource tun_source = [&tuns]() -> Result<unique_fd> {
    if (tuns.empty()) return fail(Code::bug, "there are more queues than descriptors on /dev/net/tun");
    unique_fd taken = std::move(tuns.front());
    tuns.erase(tuns.begin());
    return taken;
  };
  socket->grammar().set_lans(
      [&](std::string_view name) { return caller.uid == 0 || policy::is_lan_of_any(*policy, name); });
  // A request may name another network namespace, which then is its host.
  std::unique_ptr<TargetNamespace> there;
  const auto* open = std::get_if<OpenInterface>(&*call.request);
  if (open != nullptr && open->netns) {
    auto reached =
        TargetNamespace::reach(named, caller.uid, *caller_worker, tun_source, *socket, fd_number::kTargetNamespace);
    if (!reached) return refuse(reached.error());
    there = *std::move(reached);
  }

  // Where this call has nothing at a number that the filter knows, nothing that comes with a message gets there. A
  // session takes what comes at the numbers from kTun on.
  const int end = session ? fd_number::kTun : fd_number::kTun + 1;
  if (auto kept = occupy_numbers(fd_number::kNamed, end, STDIN_FILENO); !kept) return refuse(kept.error());
  if (auto opened = recorder.open_tuns(tuns, wanted); !opened) return refuse(opened.error());

  // From here on the filter lets through only what the change, the reply and the record need.
  if (auto entered = filters::enter(filter_for(*call.request)); !entered) return refuse(entered.error());

  priv::KernelEffects effects(tun_source, *socket);
  const RequestContext context{.policy = *policy,
                               .caller = caller,
                               .socket = there ? there->socket() : *socket,
                               .effects = there ? there->effects() : effects,
                               .front = front,
                               .recorder = recorder,
                               .caller_worker = caller_worker,
                               .group = session ? priv::session_group(recorder.id()) : 0,
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
  const SessionInputs decided_by{.policy = *policy, .accounts = *inputs.accounts};
  if (ethertap) return hold_ethertap_session(*ethertap, *done, decided_by, context);
  return hold_native_session(done->grant, *session, decided_by, tuns, tun_source, context);
}

}  // namespace

int execute_call(Startup& startup, FrontLink& front, RecorderLink& recorder) {
  if (startup.peeked.is_bridge) startup.named.reset();  // it is for the answer, and so the front's
  front.set_id(recorder.id());
  // The front reads the caller's words meanwhile.
  auto policy = load_policy(startup.inputs);
  const auto first = front.next();
  const Said said = first ? first->said : Said{.what = Says::not_understood, .error = encode(first.error())};
  const Call call = call_of(said);
  // The policy comes first, because it says who else is to get the lines of the log.
  if (const auto begun = recorder.begin(call, policy && policy->journald); !begun) {
    front.refuse(in_user_namespace().value_or(begun.error()));
    return front.end();
  }
  try {
    return answer(call, said, startup, std::move(policy), front, recorder);
  } catch (const std::exception& exception) {
    const Error error{Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."};
    front.note(recorder.refused(error, {}));
    front.refuse(error);
    return front.end();
  }
}

}  // namespace umlnet
