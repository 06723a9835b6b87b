// A session in the native protocol: one uml_net that answers a host program's requests for its whole life.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "libumlnet/client/helper_run.h"
#include "libumlnet/client/native_helper.h"

namespace umlnet::client {

class NativeSession {
 public:
  // `5 session`, and its welcome. UMLNET_REFUSED, UMLNET_TIMEOUT, UMLNET_PROTOCOL, UMLNET_NO_HELPER, UMLNET_SYSTEM.
  static Outcome<std::unique_ptr<NativeSession>> open(const Helper& helper);

  // As the calls of native_helper.h. Besides them: UMLNET_CLOSED where the helper is gone. After UMLNET_TIMEOUT,
  // UMLNET_PROTOCOL and UMLNET_CLOSED the session is over. From any thread: one waits for the other.
  Outcome<OpenedDevice> open_device(const DeviceRequest& request);
  Outcome<std::string> remove_device(const IfName& device);
  // The session is decided by the policy as it is now; its devices stay. What the helper notes, in lines.
  Outcome<std::string> reload();

  const std::string& text() const { return text_; }  // of the welcome, in lines
  // For poll(): readable once the helper has ended. Belongs to this object.
  int end_fd() const { return run_.end_fd(); }

  // The helper takes back what it has made, and ends. UMLNET_TIMEOUT where it does not, and is killed; UMLNET_SYSTEM
  // where it could not take back everything. Closed already: nothing.
  Outcome<void> close();

 private:
  NativeSession(const Helper& helper, HelperRun run, unique_fd socket)
      : helper_(helper), run_(std::move(run)), socket_(std::move(socket)) {}
  // The next message. What goes wrong here ends the session, but for a want of descriptors (EMFILE).
  Outcome<Message> receive(const std::string& what, const Deadline& until);
  Outcome<Message> ask(std::span<const std::string> words, int netns, const std::string& what);
  // What the reply was made of; a reply that does not fit ends the session.
  template <class T>
  Outcome<T> kept(Outcome<T> outcome);

  std::mutex mutex_;  // of a request with its reply
  Helper helper_;
  HelperRun run_;
  unique_fd socket_;  // none: the session is over
  bool is_closed_ = false;
  std::string text_;
};

}  // namespace umlnet::client
