// The records of a session of the native protocol.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <optional>
#include <string>
#include <variant>

#include "libumlnet/core/fd_passing.h"
#include "libumlnet/core/native5_arguments.h"
#include "uml_net/front/serve_caller.h"

namespace umlnet {
namespace {

constexpr int kCaller = STDOUT_FILENO;
constexpr int kRetry = 1000;  // milliseconds, for an event that the caller had no room for

struct Nothing {};
struct End {
  SessionEnd why = SessionEnd::closed;
  std::optional<Error> error = {};
};

// The next record with its fds; an Error where one came and was none; the end of the session.
std::variant<Message, Error, End, Nothing> receive_record() {
  auto message = receive_with_fds(kCaller, native5::kMaxRecord);
  if (message) {
    // A packet without bytes is taken for the end as well: there is no telling one from the other.
    if (message->bytes.empty()) return End{};
    return *std::move(message);
  }
  const Error& error = message.error();
  if (error.errnum == EAGAIN) return Nothing{};
  if (error.errnum == ECONNRESET) return End{};
  // A record that is too large, or has too many descriptors, has been taken all the same.
  if (error.errnum != 0 && error.errnum != EMFILE)
    return End{SessionEnd::receiving_failed, Error{Code::kernel, error.errnum, "cannot receive the next request", {}}};
  return Error{Code::usage, error.errnum, "cannot take the request: " + error.what,
               "A record has " + std::to_string(native5::kMaxRecord) + " bytes at the most, and " +
                   std::to_string(kMaxPassedFds) + " descriptors."};
}

Answered refuse(Conversation& conversation, const Error& error, std::string_view record) {
  const Said said{.what = Says::not_understood, .has_error = 1, .error = encode(error)};
  return conversation.ask(said, CollectGarbage{}, &error, record);
}

Answered answer_record(Conversation& conversation, const Message& record) {
  if (record.bytes == native5::kReload) return conversation.ask({.what = Says::reload}, CollectGarbage{});
  const auto request = native5::parse_record(record.bytes);
  if (!request) return refuse(conversation, request.error(), record.bytes);
  return conversation.ask({.what = Says::request, .request = encode(*request)}, *request, nullptr, {},
                          numbers_of(record.fds));
}

}  // namespace

std::optional<int> serve_records(Conversation& conversation) {
  for (;;) {
    if (conversation.is_policy_changed() && conversation.reply().announce_policy_change())
      conversation.policy_change_announced();
    pollfd fds[] = {{.fd = kCaller, .events = POLLIN, .revents = 0},
                    {.fd = conversation.channel(), .events = POLLIN, .revents = 0}};
    const int ready = ::poll(fds, std::size(fds), conversation.is_policy_changed() ? kRetry : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0)
      return conversation.end(SessionEnd::waiting_failed,
                              Error{Code::kernel, errno, "cannot wait for the next request", {}});
    if (fds[1].revents != 0) {
      // Nothing was asked: it is an event, which is only noted here, a warning, or the end.
      const auto message = receive_told(conversation.channel());
      if (!message) return std::nullopt;
      if (!conversation.take_unasked(message->told)) return conversation.end_status();
      continue;
    }
    if (fds[0].revents == 0) continue;
    const auto next = receive_record();
    if (const auto* end = std::get_if<End>(&next)) return conversation.end(end->why, end->error);
    Answered answered{Served::refused, 0};
    if (const auto* strange = std::get_if<Error>(&next)) answered = refuse(conversation, *strange, {});
    if (const auto* record = std::get_if<Message>(&next)) answered = answer_record(conversation, *record);
    if (answered.how == Served::over) return conversation.end_status();
    if (answered.how == Served::not_taken) return conversation.wait_for_end();
  }
}

}  // namespace umlnet
