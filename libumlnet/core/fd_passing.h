// One message with file descriptors on an AF_UNIX socket (SCM_RIGHTS, unix(7)).
#pragma once

#include <span>
#include <string_view>

#include "libumlnet/core/error.h"

namespace umlnet {

// The most fds that one message may carry here.
inline constexpr std::size_t kMaxPassedFds = 64;

// Sends `bytes` and copies of `fds` (borrowed) as one message, without blocking and without SIGPIPE. An error bears
// EAGAIN where the receiver's queue is full.
Result<void> send_with_fds(int socket, std::string_view bytes, std::span<const int> fds);

}  // namespace umlnet
