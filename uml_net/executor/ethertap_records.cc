#include "uml_net/executor/ethertap_records.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "uml_net/executor/read_host_state.h"
#include "uml_net/sys/capability.h"

namespace umlnet {
namespace {

// What an ethertap session did to the host, undone: the device goes with its last fd, its routes go with the device,
// and what they leave on other devices is garbage.
std::vector<std::string> undo_session(priv::Outcome& opened, const RequestContext& context) {
  opened.tap.reset();
  auto words = collect_leavings(context);
  words.insert(words.begin(), opened.device.name + " gone");
  return words;
}

// A guest has no record by which to ask for the new policy.
Result<void> take_new_policy(SessionInputs& inputs, const RequestContext& context) {
  if (!context.recorder.policy_has_changed()) return {};
  const auto taken = context.recorder.reload(inputs.policy, inputs.accounts);
  if (!taken) return taken;
  context.front.note(context.recorder.reloaded(taken));
  return {};
}

struct Changed {
  unsigned added = 0, removed = 0;
};

// The device is the session's own, whatever the front says.
bool is_of_session(const Request& request, const std::string& device) {
  const auto* add = std::get_if<AddAddress>(&request);
  const auto* del = std::get_if<DeleteAddress>(&request);
  return (add != nullptr && add->device.str() == device) || (del != nullptr && del->device.str() == device);
}

void answer_record(const Said& said, const std::string& device, SessionInputs& inputs, const RequestContext& context,
                   Changed& changed) {
  auto prepared = context.recorder.begin_request(false);
  context.recorder.follow_log();
  if (prepared) prepared = take_new_policy(inputs, context);
  if (said.what == Says::not_understood) {
    context.front.note(context.recorder.refused(decode(said.error), {}));
    return context.front.refuse_as_said();
  }
  const auto request = said.what == Says::request ? decode(said.request) : std::nullopt;
  if (!request || !is_of_session(*request, device)) {
    const Error strange{Code::bug, 0, "a strange request of the process that talks to the caller", {}};
    context.front.note(context.recorder.refused(strange, {}, request));
    return context.front.refuse(strange);
  }
  if (!prepared) {
    context.front.note(context.recorder.refused(prepared.error(), {}, request));
    return context.front.refuse(prepared.error());
  }
  const auto done = run_request(*request, context);
  if (!done) return context.front.refuse(done.error());
  const bool is_addition = std::holds_alternative<AddAddress>(*request);
  (is_addition ? changed.added : changed.removed) += done->outcome.changes.empty() ? 0 : 1;
  context.front.note(record_done(*done, context));
  context.front.grant_record(done->outcome.text);
}

SessionSummary summary_of(const FrameCounters& counters, std::uint64_t dropped_by_queue, const Changed& changed) {
  const auto direction = [](const FrameCounters::Direction& from) {
    return SessionSummary::Direction{from.frames, from.bytes, from.too_long, from.too_short};
  };
  return {.to_guest = direction(counters.to_guest),
          .to_host = direction(counters.to_host),
          .dropped_by_queue = dropped_by_queue,
          .refused_by_host = counters.refused_by_host,
          .addresses_added = changed.added,
          .addresses_removed = changed.removed};
}

EthertapSession::End end_of(const Said& said) {
  std::optional<Error> error;
  if (said.has_error) error = decode(said.error);
  switch (static_cast<SessionEnd>(said.status)) {
    case SessionEnd::control_failed: return {"the control stream failed", error};
    case SessionEnd::waiting_failed: return {"poll failed", error};
    default: return {"the guest closed the control stream", error};
  }
}

}  // namespace

int hold_ethertap_session(EthertapSession& session, GrantedRequest& opened, SessionInputs inputs,
                          const RequestContext& context) {
  const std::string device = opened.outcome.device.name;
  Changed changed;
  const auto end = session.hold(
      context.front.channel(),
      [&]() -> std::optional<EthertapSession::End> {
        const auto message = context.front.next();
        if (!message) return EthertapSession::End{"the process that talks to the guest ended", message.error()};
        if (message->said.what == Says::caller_gone) return end_of(message->said);
        answer_record(message->said, device, inputs, context, changed);
        return std::nullopt;
      },
      [&] {
        context.recorder.follow_log();
        return restore_lost(context);
      });
  const auto dropped = read_tx_dropped(context.socket, device);
  const auto undone = undo_session(opened.outcome, context);
  context.recorder.follow_log();
  priv::drop_net_admin();
  const auto recorded =
      context.recorder.ended(opened.grant, {.device = device,
                                            .ifindex = opened.outcome.device.ifindex,
                                            .changes = undone,
                                            .error = end.error,
                                            .ended = end.why,
                                            .session = summary_of(session.counters(), dropped, changed)});
  context.front.over(recorded ? end.error : recorded.error());
  return context.front.end();
}

}  // namespace umlnet
