// One call, from the caller's words to the exit status.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "libumlnet/core/error.h"
#include "libumlnet/core/request.h"
#include "uml_net/channel/message.h"
#include "uml_net/front/reply.h"

namespace umlnet {

// Reads `arguments`, asks the executor at the other end of `channel`, answers the caller (on `named`, where the call
// says so), and serves a session to its end. The last message is the exit status; where the executor is gone there is
// none.
void serve_caller(int channel, std::span<const std::string_view> arguments, int named);

// What came of one request.
enum class Served {
  refused,       // and the caller was told
  granted,       // the caller has taken the answer, and it is on record
  not_taken,     // the caller did not take the answer
  not_recorded,  // it has, and there is no record: the caller was told so on stderr
  over,          // the executor ends the session, is gone, or says what it should not: Conversation::end_status()
};

struct Answered {
  Served how;
  int status;  // the exit status that it stands for
};

// The conversation with the executor. All is borrowed.
class Conversation {
 public:
  Conversation(int channel, Reply& reply) : channel_(channel), reply_(reply) {}

  int channel() const { return channel_; }
  Reply& reply() const { return reply_; }

  // Asks, and passes the answer on to the caller. `own` is why the front itself refuses, where it does.
  Answered ask(const Said& said, const Request& request, const Error* own = nullptr, std::string_view tail = {},
               std::span<const int> fds = {});

  // Tells the executor that the session is at its end, where that is not its own doing, and waits for it to undo what
  // is to be undone. The exit status; nothing where the executor is gone.
  std::optional<int> end(SessionEnd why, const std::optional<Error>& error);
  std::optional<int> wait_for_end();

  // Takes a message that came while nothing was asked. False where it is the session's end.
  bool take_unasked(const Told& told);

  // The next message that is no warning, which goes to stderr, and no event. Nothing where the session is at its end or
  // the executor gone.
  std::optional<ExecutorMessage> next();

  // The exit status, once the executor has ended the session.
  std::optional<int> end_status() const { return end_status_; }

  bool is_policy_changed() const { return is_policy_changed_; }
  void policy_change_announced() { is_policy_changed_ = false; }

 private:
  Answered settle(const Result<void>& taken);

  int channel_;
  Reply& reply_;
  bool is_policy_changed_ = false;  // and the caller is to be told so
  std::optional<int> end_status_;
};

// Serves the rest of a session of the native protocol, and of an ethertap session on `device`. The result is the exit
// status; nothing where the executor is gone.
std::optional<int> serve_records(Conversation& conversation);
std::optional<int> serve_control_stream(Conversation& conversation, const IfName& device);

}  // namespace umlnet
