// A process of this program that does one thing for it which the filter of the change forbids, or which takes an
// identity that this process gives up. It ends when this process does.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "libumlnet/core/error.h"
#include "libumlnet/core/fd_passing.h"
#include "libumlnet/core/object_bytes.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

inline constexpr std::size_t kLongestMessage = 1024;  // bytes of an answer

class Worker {
 public:
  // Makes the process, which has no capability, no fd but `channel` (an AF_UNIX SOCK_SEQPACKET socket) and a copy of
  // `kept` (borrowed; -1: none), and no privilege to gain (no_new_privs); it runs `serve`, which enters a seccomp
  // filter of its own and does not return.
  static Result<Worker> start(const std::string& name, void (*serve)(int channel, int kept), int kept = -1);
  // The same, and waits until it has closed what it got: a copy of an fd of a device would keep that device.
  static Result<Worker> start_and_wait(const std::string& name, void (*serve)(int channel, int kept));

  // This process's end of the channel.
  int channel() const { return channel_.get(); }

  // Asks one question, with copies of `fds`, and waits for the answer, some seconds at the most. Code::kernel where the
  // process is gone or stopped. It is not asked again then: its next answer could be the one to this question.
  Result<Message> ask(std::string_view question, std::span<const int> fds = {});

 private:
  Worker(std::string name, unique_fd channel) : name_(std::move(name)), channel_(std::move(channel)) {}

  static Result<Worker> start(const std::string& name, void (*serve)(int channel, int kept), int kept, bool says_so);
  std::unexpected<Error> give_up(const Error& why);

  std::string name_;
  unique_fd channel_;
  bool given_up_ = false;
};

// For the process's own side: the next question, of so many bytes at most, waited for; nothing when the other side is
// gone.
std::optional<Message> next_question(int channel, std::size_t longest = kLongestMessage);

}  // namespace umlnet
