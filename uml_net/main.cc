// uml_net: the way of one request, from top to bottom. Each step is one function of the file that is named for it.
//
//   argv -> Call -> decide(policy, caller, request, host) -> Grant -> execute -> Outcome -> reply and audit log

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
#include "policy/decide.h"
#include "policy/load.h"
#include "uml_net/audit_trail.h"
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

int exit_status(const Error& error) { return meaning(error.code).exit_status; }

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

// One grant made real: no change without a line in the log before it, no privilege in effect but during the change.
Result<priv::Outcome> carry_out(const policy::Grant& grant, const policy::HostState& host, priv::HostEffects& effects,
                                audit::Trail& trail) {
  if (auto recorded = trail.intend(grant); !recorded) return std::unexpected(std::move(recorded.error()));
  auto outcome = [&]() -> Result<priv::Outcome> {
    const auto raised = priv::NetAdminInEffect::raise();
    if (!raised) return std::unexpected(raised.error());
    return priv::execute(grant, trail.id(), host, effects);
  }();
  if (!outcome)
    if (const auto recorded = trail.failed(grant, outcome.error()); !recorded) complain(recorded.error());
  return outcome;
}

// What guests that are gone left behind goes first, whoever calls and whatever for.
Result<policy::HostState> read_clean_host(priv::RtnetlinkSocket& socket, const policy::Policy& policy,
                                          const policy::Caller& caller, priv::HostEffects& effects,
                                          audit::Trail& trail) {
  auto host = read_host_state(socket);
  if (!host || !policy::has_garbage(*host)) return host;
  const auto grant = policy::decide(policy, caller, CollectGarbage{}, *host);
  if (!grant) return host;
  const auto outcome = carry_out(*grant, *host, effects, trail);
  if (!outcome) return std::unexpected(outcome.error());
  if (const auto recorded = trail.done(*grant, *outcome); !recorded) return std::unexpected(recorded.error());
  return read_host_state(socket);
}

// Adding and making are taken back where the caller did not take the reply. What was removed at a caller's wish stays
// removed.
bool is_taken_back_unheard(const Request& request) {
  return std::holds_alternative<MakeTap>(request) || std::holds_alternative<AddAddress>(request);
}

int answer(const Call& call, const policy::Caller& caller, TrustedInputs& inputs, Reply& reply, audit::Trail& trail) {
  if (auto fit = reply.check(); !fit) return refuse(fit.error(), {}, reply, trail);
  if (!call.request) return refuse(call.request.error(), {}, reply, trail);
  if (!inputs.policy) return refuse(inputs.policy.error(), {}, reply, trail);
  if (!inputs.accounts) return refuse(inputs.accounts.error(), {}, reply, trail);
  const auto policy = policy::load(*inputs.policy, *inputs.accounts);
  if (!policy) return refuse(policy.error(), {}, reply, trail);

  // From here on the filter lets through only what the change, the reply and the record need.
  auto socket = priv::RtnetlinkSocket::open();
  if (!socket) return refuse(socket.error(), {}, reply, trail);
  const priv::StageFds fds{.tun = inputs.tun ? inputs.tun->get() : -1,
                           .rtnetlink = socket->fd(),
                           .reply = STDOUT_FILENO,
                           .audit = inputs.log->fd()};
  if (auto entered = priv::stage_filter(fds).enter(); !entered) return refuse(entered.error(), {}, reply, trail);

  priv::KernelEffects effects(std::move(inputs.tun), *socket);
  const bool is_gc = std::holds_alternative<CollectGarbage>(*call.request);
  const auto host = is_gc ? read_host_state(*socket) : read_clean_host(*socket, *policy, caller, effects, trail);
  if (!host) return refuse(host.error(), {}, reply, trail);

  const auto grant = policy::decide(*policy, caller, *call.request, *host);
  if (!grant) return refuse(grant.error().error, grant.error().rule, reply, trail);

  auto outcome = carry_out(*grant, *host, effects, trail);
  if (!outcome) {
    reply.refuse(outcome.error());
    return exit_status(outcome.error());
  }

  const auto taken = reply.grant(*outcome);
  if (!taken && is_taken_back_unheard(grant->request())) {
    const auto raised = priv::NetAdminInEffect::raise();
    const auto left = priv::take_back(*std::move(outcome), effects);
    if (const auto recorded = trail.taken_back(*grant, taken.error(), left); !recorded) complain(recorded.error());
    return give_up(taken.error());
  }
  priv::drop_net_admin();
  if (const auto recorded = trail.done(*grant, *outcome); !recorded) return give_up(recorded.error());
  return taken ? 0 : give_up(taken.error());
}

int serve(Words arguments) {
  const auto started = std::chrono::steady_clock::now();

  // 1. Nothing of the caller's arrangements stays in force, and no capability is in effect.
  if (auto lowered = priv::lower_everything(); !lowered) return give_up(lowered.error());
  if (auto left = leave_callers_world(); !left) return give_up(left.error());

  // 2. What needs the identity of the installation is opened with it.
  TrustedInputs inputs = open_trusted_inputs();

  // 3. Then the process is its caller, for good. CAP_NET_ADMIN stays permitted, and is not in effect.
  auto caller = become_caller();
  if (is_help(arguments)) return print_help(arguments);
  const Call call = parse_call(arguments);
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
    return answer(call, *caller, inputs, reply, trail);
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
