// uml_net by its native protocol, version 5: one call that asks for one thing.
#pragma once

#include <string>
#include <vector>

#include "libumlnet/client/device_request.h"
#include "libumlnet/client/helper.h"
#include "libumlnet/client/native_reply.h"
#include "libumlnet/core/fd_passing.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::client {

// A device, and what its frames pass through: one descriptor for each queue, or the socket of a sealed one.
struct OpenedDevice {
  NativeDevice made;
  std::vector<unique_fd> fds;  // non-blocking, close-on-exec
};

// `5 open ...`. UMLNET_REFUSED, UMLNET_TIMEOUT, UMLNET_PROTOCOL, UMLNET_NO_HELPER, UMLNET_SYSTEM.
Outcome<OpenedDevice> open_device(const Helper& helper, const DeviceRequest& request);

// `5 remove device=NAME`: what the helper notes, in lines. Errors as above.
Outcome<std::string> remove_device(const Helper& helper, const IfName& device);

inline constexpr const char* kReloadWords = "take the new policy";  // of messages

// What a message of the helper's says to a request, in a call of its own or within a session. UMLNET_PROTOCOL where it
// does not fit the request; UMLNET_REFUSED in the helper's words.
Outcome<OpenedDevice> as_opened(Message reply, const DeviceRequest& request);
Outcome<std::string> as_removed(const Message& reply, const IfName& device);
Outcome<std::string> as_reloaded(const Message& reply);
// The same for any request: what the helper did, so no Error is in it. `doing` is "open tap7".
Outcome<NativeReply> as_granted(const Message& reply, const std::string& doing);

}  // namespace umlnet::client
