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
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/call.h"
#include "libumlnet/core/uml4_control.h"
#include "policy/decide.h"
#include "policy/load.h"
#include "uml_net/audit_trail.h"
#include "uml_net/ethertap_session.h"
#include "uml_net/help.h"
#include "uml_net/identity.h"
#include "uml_net/priv/capability.h"
#include "uml_net/priv/execute.h"
#include "uml_net/priv/kernel_effects.h"
#include "uml_net/priv/rtnetlink_socket.h"
#include "uml_net/priv/stage_filter.h"
#include "uml_net/read_host_state.h"
#include "uml_net/reply.h"
#include "uml_net/startup.h"
#include "uml_net/trusted_inputs.h"

namespace umlnet {
namespace {

using Words = std::span<const std::string_view>;

int exit_status(const Error& error) { return exit_status_of(error.code); }

int give_up(const Error& error) {
  complain(error);
  return exit_status(error);
}

// The end of a request that changed nothing: the caller and the audit log are told the same.
int refuse(const Error& error, const std::string& rule, Reply& reply, audit::Trail& trail) {
  if (const auto recorded = trail.refused(error, rule); !recorded) complain(recorded.error());
  reply.refuse(error);
  return exit_status(error);
}

// What every request of this process shares.
struct Way {
  const policy::Policy& policy;
  const policy::Caller& caller;
  priv::RtnetlinkSocket& socket;
  priv::HostEffects& effects;
  audit::Trail& trail;
};

// One grant made real: no change without a line in the log before it, no privilege in effect but during the change.
Result<priv::Outcome> carry_out(const policy::Grant& grant, const policy::HostState& host, const Way& way) {
  if (auto recorded = way.trail.intend(grant); !recorded) return std::unexpected(std::move(recorded.error()));
  auto outcome = [&]() -> Result<priv::Outcome> {
    const auto raised = priv::NetAdminInEffect::raise();
    if (!raised) return std::unexpected(raised.error());
    return priv::execute(grant, way.trail.id(), host, way.effects);
  }();
  if (!outcome)
    if (const auto recorded = way.trail.failed(grant, outcome.error()); !recorded) complain(recorded.error());
  return outcome;
}

// What guests that are gone left behind goes first, whoever calls and whatever for.
Result<policy::HostState> read_clean_host(const Way& way) {
  auto host = read_host_state(way.socket);
  if (!host || !policy::has_garbage(*host)) return host;
  const auto grant = policy::decide(way.policy, way.caller, CollectGarbage{}, *host);
  if (!grant) return host;
  const auto outcome = carry_out(*grant, *host, way);
  if (!outcome) return std::unexpected(outcome.error());
  if (const auto recorded = way.trail.done(*grant, *outcome); !recorded) return std::unexpected(recorded.error());
  return read_host_state(way.socket);
}

struct Fulfilled {
  policy::Grant grant;
  priv::Outcome outcome;
};

// One request, from the state of the host to the change. A refusal is on record when this returns; what came of a grant
// is for the caller of this function to record, who knows whether the reply was taken.
Result<Fulfilled> fulfil(const Request& request, const Way& way) {
  const auto refused = [&](const Error& error, const std::string& rule) {
    if (const auto recorded = way.trail.refused(error, rule, request); !recorded) complain(recorded.error());
    return std::unexpected(error);
  };
  const bool is_gc = std::holds_alternative<CollectGarbage>(request);
  const auto host = is_gc ? read_host_state(way.socket) : read_clean_host(way);
  if (!host) return refused(host.error(), {});
  auto grant = policy::decide(way.policy, way.caller, request, *host);
  if (!grant) return refused(grant.error().error, grant.error().rule);
  auto outcome = carry_out(*grant, *host, way);
  if (!outcome) return std::unexpected(std::move(outcome.error()));
  return Fulfilled{*std::move(grant), *std::move(outcome)};
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
  const auto host = read_host_state(way.socket);
  if (!host) return {"failed: " + host.error().line()};
  const auto grant = policy::decide(way.policy, way.caller, CollectGarbage{}, *host);
  const auto raised = priv::NetAdminInEffect::raise();
  if (!grant || !raised) return {"failed: what is left is removed by the next request"};
  auto words = std::vector{opened.device.name + " gone"};
  const auto outcome = priv::execute(*grant, way.trail.id(), *host, way.effects);
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
      if (const auto recorded = way.trail.refused(request.error(), {}); !recorded) complain(recorded.error());
      return told(request.error());
    }
    const auto done = fulfil(*request, way);
    if (!done) return told(done.error());
    (std::holds_alternative<AddAddress>(*request) ? added : removed) += done->outcome.changes.empty() ? 0 : 1;
    if (const auto recorded = way.trail.done(done->grant, done->outcome); !recorded) complain(recorded.error());
    return done->outcome.text;
  });
  const auto dropped = read_tx_dropped(way.socket, device.str());
  const auto undone = undo_session(opened.outcome, way);
  priv::drop_net_admin();
  const auto summary = audit::summary_of(session.counters(), end.why, dropped, added, removed);
  if (const auto recorded = way.trail.ended(opened.grant, opened.outcome, summary, undone, end.error); !recorded)
    return give_up(recorded.error());
  return end.error ? give_up(*end.error) : 0;
}

int answer(const Call& call, const unique_fd& data, const policy::Caller& caller, TrustedInputs& inputs, Reply& reply,
           audit::Trail& trail) {
  if (auto fit = reply.check(); !fit) return refuse(fit.error(), {}, reply, trail);
  if (!call.request) return refuse(call.request.error(), {}, reply, trail);
  if (!inputs.policy) return refuse(inputs.policy.error(), {}, reply, trail);
  if (!inputs.accounts) return refuse(inputs.accounts.error(), {}, reply, trail);
  const auto policy = policy::load(*inputs.policy, *inputs.accounts);
  if (!policy) return refuse(policy.error(), {}, reply, trail);

  // An ethertap session moves frames in a process of its own, and the filter lets nobody make one.
  std::optional<EthertapSession> session;
  if (call.data_fd) {
    auto prepared = EthertapSession::prepare(data, *call.data_fd, inputs.tun);
    if (!prepared) return refuse(prepared.error(), {}, reply, trail);
    session.emplace(*std::move(prepared));
  }

  // From here on the filter lets through only what the change, the reply and the record need.
  auto socket = priv::RtnetlinkSocket::open();
  if (!socket) return refuse(socket.error(), {}, reply, trail);
  const priv::StageFds fds{.tun = inputs.tun ? inputs.tun->get() : -1,
                           .rtnetlink = socket->fd(),
                           .reply = STDOUT_FILENO,
                           .audit = inputs.log->fd(),
                           .session = session ? std::optional(session->fds()) : std::nullopt};
  if (auto entered = priv::stage_filter(fds).enter(); !entered) return refuse(entered.error(), {}, reply, trail);

  priv::KernelEffects effects(std::move(inputs.tun), *socket);
  const Way way{*policy, caller, *socket, effects, trail};
  auto done = fulfil(*call.request, way);
  if (!done) {
    reply.refuse(done.error());
    return exit_status(done.error());
  }

  const auto taken = reply.grant(done->outcome);
  if (!taken && is_taken_back_unheard(*call.request)) {
    const auto raised = priv::NetAdminInEffect::raise();
    const auto left = priv::take_back(std::move(done->outcome), effects);
    if (const auto recorded = trail.taken_back(done->grant, taken.error(), left); !recorded) complain(recorded.error());
    return give_up(taken.error());
  }
  if (!session) priv::drop_net_admin();
  if (const auto recorded = trail.done(done->grant, done->outcome); !recorded) return give_up(recorded.error());
  if (session) return hold_session(*session, *done, way);
  return taken ? 0 : give_up(taken.error());
}

int serve(Words arguments) {
  const auto started = std::chrono::steady_clock::now();

  // 1. Nothing of the caller's arrangements stays in force but what the request names, and no capability is in effect.
  if (auto lowered = priv::lower_everything(); !lowered) return give_up(lowered.error());
  const Call call = parse_call(arguments);
  const auto data = leave_callers_world(call.data_fd);
  if (!data) return give_up(data.error());

  // 2. What needs the identity of the installation is opened with it.
  TrustedInputs inputs = open_trusted_inputs();

  // 3. Then the process is its caller, for good. CAP_NET_ADMIN stays permitted, and is not in effect.
  auto caller = become_caller();
  if (is_help(arguments)) return print_help(arguments);
  Reply reply(call.reply);
  const auto refuse_unrecorded = [&](const Error& error) {
    if (reply.check())
      reply.refuse(error);
    else
      complain(error);
    return exit_status(error);
  };
  if (!caller) return refuse_unrecorded(caller.error());
  if (!inputs.log) return refuse_unrecorded(inputs.log.error());

  // 4. All that follows is on record.
  std::array<std::uint8_t, 16> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return give_up({Code::kernel, errno, "cannot get random bytes for the request's id", {}});
  if (inputs.accounts) caller->user = inputs.accounts->name_of(caller->uid);
  audit::Trail trail(*inputs.log, RequestId(random), *caller, call, arguments, started);
  try {
    return answer(call, *data, *caller, inputs, reply, trail);
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
