// The answers of the native protocol: one JSON object and a newline (uml_net(8)).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/request.h"
#include "libumlnet/core/request_id.h"
#include "uml_net/channel/message.h"

namespace umlnet::native5 {

// What was made for `request`; `fds` go with it.
std::string answer_for(const Request& request, const Made& made, const std::optional<RequestId>& id, std::size_t fds);

// To the record `reload`.
std::string answer_to_reload(const std::optional<RequestId>& id);

// What a caller that asked for events is sent once the policy is another one than the session's.
std::string policy_changed_event();

// Why not.
std::string answer_for(const Error& error, const std::optional<RequestId>& id);

}  // namespace umlnet::native5
