// One message with file descriptors on an AF_UNIX socket (SCM_RIGHTS, unix(7)).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

// The most fds that one message may carry here.
inline constexpr std::size_t kMaxPassedFds = 128;

// Sends `bytes` and copies of `fds` (borrowed) as one message, without blocking and without SIGPIPE. An error bears
// EAGAIN where the receiver's queue is full.
Result<void> send_with_fds(int socket, std::string_view bytes, std::span<const int> fds);

struct Message {
  std::string bytes;
  std::vector<unique_fd> fds;  // close-on-exec
};

// The numbers of the fds, which stay their owner's.
std::vector<int> numbers_of(std::span<const unique_fd> fds);

enum class Waiting : bool { no, yes };

// The next message of a datagram or sequenced-packet socket, waited for or not (EAGAIN where there is none): up to
// `room` bytes and kMaxPassedFds fds. Code::reply where it is larger (its fds are then closed), with errno where
// receiving failed.
Result<Message> receive_with_fds(int socket, std::size_t room, Waiting waiting = Waiting::no);

}  // namespace umlnet
