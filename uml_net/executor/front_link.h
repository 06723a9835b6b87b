// The executor's end of the conversation with the front (channel/message.h).
#pragma once

#include <optional>
#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/request.h"
#include "libumlnet/core/request_id.h"
#include "uml_net/channel/front_process.h"
#include "uml_net/channel/message.h"
#include "uml_net/priv/execute.h"

namespace umlnet {

class FrontLink {
 public:
  explicit FrontLink(FrontProcess front) : front_(std::move(front)) {}

  int channel() const { return front_.channel.get(); }

  // From here on each message names the request by its id in the audit log.
  void set_id(const RequestId& id) { id_ = id; }

  // Waits for what the front says next. Code::kernel where it is gone. Descriptors come with it in sessions of the
  // native protocol only, which receive it by themselves: here they are closed.
  Result<FrontMessage> next() const;

  // The front answers the caller with this error, or with its own. Where it is gone, nobody is left to answer.
  void refuse(const Error& error) const { tell({.what = Tells::refused, .error = error}); }
  void refuse_as_said() const { tell({.what = Tells::refused}); }

  // For what is wrong before anything of the call was heard: refuse(), and end().
  int refuse_call(const Error& error);

  // Hands over what was made for `request`, and waits until the caller has taken it: an error where it has not.
  Result<void> grant(const Request& request, const priv::Outcome& outcome) const;
  // What was done for a control record. Nobody waits for the guest to take it.
  void grant_record(const std::string& text) const;
  // The caller is told that the session took the new policy: an error where it does not take that.
  Result<void> confirm_reload() const;

  // After one of the three above: it is on record, or cannot be.
  void done() const { tell({.what = Tells::done}); }
  void fail_late(const Error& error) const { tell({.what = Tells::failed_late, .error = error}); }

  // For those who read stderr.
  void add_warning(const Error& error) const { tell({.what = Tells::warning, .error = error}); }
  // That a line of the audit log could not be written, where it could not.
  void note(const Result<void>& recorded) const {
    if (!recorded) add_warning(recorded.error());
  }
  // False where there is no room.
  bool announce_policy_change() const { return send(channel(), Told{.what = Tells::policy_changed}).has_value(); }
  // The session is at its end.
  void over(const std::optional<Error>& error) const { tell({.what = Tells::over, .error = error}); }

  // Waits for the exit status that the front makes of all that, and ends it. That of Code::bug where it is gone before.
  int end();

 private:
  void tell(Told told) const;
  Result<void> hear_of_delivery() const;

  FrontProcess front_;
  std::optional<RequestId> id_;
  mutable bool is_lost_ = false;
};

}  // namespace umlnet
