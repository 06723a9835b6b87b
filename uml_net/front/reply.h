// The caller's answer, in the form and in the place that its protocol wants.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "libumlnet/core/call.h"
#include "libumlnet/core/error.h"
#include "libumlnet/core/request_id.h"
#include "uml_net/channel/message.h"

namespace umlnet {

class Reply {
 public:
  // `socket` is the descriptor that the call names, borrowed, -1 where there is none: the answer goes there in the form
  // `bridge`. In all others it goes to fd 1.
  Reply(ReplyForm form, int socket) : form_(form), fd_(form == ReplyForm::bridge ? socket : kStandardOutput) {}

  // The one descriptor that the answer goes to.
  int fd() const { return fd_; }

  // Whether that is what the protocol wants there: a connected AF_UNIX SOCK_DGRAM socket, a pipe (or AF_UNIX stream
  // socket) open for writing, a connected AF_UNIX SOCK_STREAM socket, or any connected AF_UNIX socket (`json`).
  // Code::bad_channel otherwise. Until it has been called, refuse() writes to stderr only.
  Result<void> check();

  // From here on the answers of the form `json` name the request by its id in the audit log.
  void set_id(const RequestId& id) { id_ = id; }

  // Hands over what was made for `request`, with copies of `fds`. A caller that does not read is given up after some
  // seconds (Code::reply).
  Result<void> grant(const Request& request, const Made& made, std::span<const int> fds);

  // In the form `json`: answers that the session took the new policy; and, besides all answers, says that the policy
  // changed, at once or not (false: there is no room).
  Result<void> confirm_reload();
  bool announce_policy_change();

  // Tells the caller why not, on stderr where there is no other way to tell. The result is the exit status.
  int refuse(const Error& error);

  // The same, on stderr in any case: the answer has gone out already, or there is no way for it.
  int give_up(const Error& error);

  // What went wrong besides, for whoever reads stderr. In the form `bridge`, where all must be one line, it is kept for
  // that line.
  void add_warning(const Error& error);

 private:
  static constexpr int kStandardOutput = 1;

  ReplyForm form_;
  int fd_;
  bool usable_ = false;
  std::optional<RequestId> id_;
  std::string warnings_;
};

}  // namespace umlnet
