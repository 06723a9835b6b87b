// Signals as events on a descriptor: nothing is interrupted half-way, and each is answered where the program waits.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>

#include <optional>

#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {

class Signals {
 public:
  // From here on, for the life of the process: `wanted` arrive here and nowhere else, but for those that were ignored
  // when the program was started (nohup), which stay so. A closed pipe is an error of write(), not the end.
  static Outcome<Signals> catch_all(std::initializer_list<int> wanted);
  Signals(Signals&&) = default;

  int fd() const { return fd_.get(); }
  // The next one that is there; never blocks.
  std::optional<signalfd_siginfo> next() const;
  // Waits for a signal or until `fd` (-1: nothing) is readable, at most that long (negative: for ever). The signal that
  // asks to end, or 0; any other is passed over.
  int wait_for(int fd, int timeout_ms) const;
  // As they were, for a command that is about to be executed.
  void restore() const;

 private:
  Signals() = default;

  unique_fd fd_;
  sigset_t mask_before_ = {};
  struct sigaction pipe_before_ = {};
  struct sigaction child_before_ = {};
};

// Asks the program to end: SIGINT, SIGTERM, SIGHUP, SIGQUIT.
bool asks_to_end(const signalfd_siginfo& signal);

// "SIGTERM"
std::string name_of_signal(int signal);

}  // namespace umlnet::cli
