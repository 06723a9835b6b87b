#include "uml_net/front/serve_caller.h"

#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "libumlnet/core/call.h"
#include "libumlnet/core/fd_passing.h"
#include "uml_net/sys/socket_kind.h"

namespace umlnet {
namespace {

Said first_message(const Call& call, const Error* error) {
  Said said{.what = !call.request      ? Says::not_understood
                    : error != nullptr ? Says::misfit
                                       : Says::request,
            .protocol = static_cast<std::uint8_t>(call.protocol),
            .operation = operation_number(call.operation),
            .descriptor = call.descriptor.value_or(-1)};
  if (call.request) said.request = encode(*call.request);
  if (error != nullptr) said.has_error = 1, said.error = encode(*error);
  return said;
}

Result<void> check_channel(const Call& call, Reply& reply) {
  auto fit = reply.check();
  const bool is_session = call.request && std::holds_alternative<OpenSession>(*call.request);
  if (fit && is_session && !kind_of(STDOUT_FILENO).is_connected_unix(SOCK_SEQPACKET))
    return fail(Code::bad_channel,
                "fd 1 is not a connected AF_UNIX sequenced-packet socket, so there is no way to take requests",
                "A session's requests and answers are one packet each; see uml_net(8).");
  return fit;
}

}  // namespace

bool Conversation::take_unasked(const Told& told) {
  if (told.what == Tells::policy_changed) is_policy_changed_ = true;
  if (told.what == Tells::warning && told.error) reply_.add_warning(*told.error);
  if (told.what == Tells::over) end_status_ = told.error ? reply_.give_up(*told.error) : 0;
  return !end_status_;
}

std::optional<ExecutorMessage> Conversation::next() {
  while (!end_status_) {
    auto message = receive_told(channel_);
    if (!message) return std::nullopt;
    const Told& told = message->told;
    if (told.id) reply_.set_id(*told.id);
    if (told.what != Tells::policy_changed && told.what != Tells::warning && told.what != Tells::over)
      return *std::move(message);
    take_unasked(told);
  }
  return std::nullopt;
}

// Whether the caller has taken the answer decides what becomes of the change.
Answered Conversation::settle(const Result<void>& taken) {
  Said said{.what = taken ? Says::delivered : Says::undelivered};
  if (!taken) said.has_error = 1, said.error = encode(taken.error());
  const auto then = send(channel_, said) ? next() : std::nullopt;
  if (!then || (then->told.what != Tells::done && then->told.what != Tells::failed_late)) return {Served::over, 1};
  if (!taken) return {Served::not_taken, reply_.give_up(taken.error())};
  if (then->told.what == Tells::done) return {Served::granted, 0};
  return {Served::not_recorded, then->told.error ? reply_.give_up(*then->told.error) : 1};
}

Answered Conversation::ask(const Said& said, const Request& request, const Error* own, std::string_view tail,
                           std::span<const int> fds) {
  auto answer = send(channel_, said, tail, fds) ? next() : std::nullopt;
  if (!answer) return {Served::over, 1};
  const auto& error = answer->told.error;
  switch (answer->told.what) {
    case Tells::refused:
      if (!error && own == nullptr) return {Served::over, 1};
      return {Served::refused, reply_.refuse(error ? *error : *own)};
    case Tells::granted: {
      const auto taken = reply_.grant(request, answer->told.made, numbers_of(answer->fds));
      answer->fds.clear();
      return settle(taken);
    }
    case Tells::reloaded: return settle(reply_.confirm_reload());
    default: return {Served::over, 1};
  }
}

std::optional<int> Conversation::end(SessionEnd why, const std::optional<Error>& error) {
  Said said{.what = Says::caller_gone, .status = static_cast<std::uint8_t>(why)};
  if (error) said.has_error = 1, said.error = encode(*error);
  return send(channel_, said) ? wait_for_end() : std::nullopt;
}

std::optional<int> Conversation::wait_for_end() {
  while (next()) {
  }
  return end_status_;
}

void serve_caller(int channel, std::span<const std::string_view> arguments, int named) {
  const Call call = parse_call(arguments);
  Reply reply(call.reply, named);
  if (call.reply != ReplyForm::bridge && named >= 0) ::close(named);  // it is for the executor
  const auto fit = check_channel(call, reply);
  const Error* own = !call.request ? &call.request.error() : !fit ? &fit.error() : nullptr;
  Conversation conversation(channel, reply);
  const Request request = call.request ? *call.request : CollectGarbage{};
  const auto answered = conversation.ask(first_message(call, own), request, own);
  std::optional<int> status = answered.status;
  if (answered.how == Served::over) status = conversation.end_status();
  if (answered.how == Served::granted && std::holds_alternative<OpenSession>(request))
    status = serve_records(conversation);
  if (const auto* ethertap = std::get_if<OpenEthertap>(&request);
      ethertap != nullptr && answered.how == Served::granted)
    status = serve_control_stream(conversation, ethertap->device);
  if (!status) return;
  [[maybe_unused]] const auto sent =
      send(channel, {.what = Says::status, .status = static_cast<std::uint8_t>(*status)});
}

}  // namespace umlnet
