// A process of this program that does one thing for it which the filter of the change forbids, or which takes an
// identity that this process gives up. It ends when this process does.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libumlnet/core/error.h"
#include "libumlnet/core/fd_passing.h"
#include "libumlnet/core/object_bytes.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

inline constexpr std::size_t kLongestMessage = 1024;  // bytes of an answer

struct WorkerTraits {
  std::string name;                              // "process that ..."
  int channel = -1;                              // the number of this process's end of the channel
  int pidfd = -1;                                // the number of its pidfd; -1: it is not waited for when it ends
  int kept = -1;                                 // an fd that it has a copy of besides its channel; -1: none
  bool is_waited_for = false;                    // until it has closed what it got: a copy keeps a device
  std::size_t longest_answer = kLongestMessage;  // bytes
  std::chrono::seconds patience{5};              // with which an answer is waited for
};

class Worker {
 public:
  // Makes the process, which has no capability, no fd but `channel` (an AF_UNIX SOCK_SEQPACKET socket) and a copy of
  // `kept`, at fd_number::kWorkerChannel and kWorkerKept, and no privilege to gain (no_new_privs); it runs `serve`,
  // which enters a seccomp filter of its own and does not return. Code::kernel where there is no process to be had.
  static Result<Worker> start(WorkerTraits traits, const std::function<void(int channel)>& serve);

  // Closes the channel, which ends the process, and waits for that, where the traits say so.
  void end();

  // This process's end of the channel.
  int channel() const { return channel_.get(); }

  // Asks one question, with copies of `fds`, and waits for the answer, for `patience` at the most. Code::kernel where
  // the process is gone or stopped. It is not asked again then, and the error is the same: its next answer could be the
  // one to this question.
  Result<Message> ask(std::string_view question, std::span<const int> fds = {});

 private:
  Worker(WorkerTraits traits, unique_fd pidfd, unique_fd channel)
      : traits_(std::move(traits)), pidfd_(std::move(pidfd)), channel_(std::move(channel)) {}
  std::unexpected<Error> give_up(const Error& why);
  Result<Message> receive();

  WorkerTraits traits_;
  unique_fd pidfd_;
  unique_fd channel_;
  std::optional<Error> given_up_ = {};
};

// For the process's own side: the next question, of so many bytes at most, waited for; nothing when the other side is
// gone.
std::optional<Message> next_question(int channel, std::size_t longest = kLongestMessage);

}  // namespace umlnet
