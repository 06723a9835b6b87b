// The command that `umlnet run` starts: its words, its process, its end.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "libumlnet/cli/signals.h"
#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {

// What the command gets of one network.
struct Given {
  std::vector<int> fds;
  std::string device;
};

struct Filled {
  std::vector<std::string> words;
  std::vector<bool> named;     // of each network, whether a word names it
  std::vector<bool> gets_fds;  // and whether one has its descriptors
};

// Puts the numbers and names in place of {fd}, {fds}, {dev}, {fd1}, {fds1}, {dev1}...; all other braces stay. {fds} is
// all descriptors with ':' between them, {fds,} with ','. A network that is named and is not there is an error, and so
// is {fd} where there are several.
Outcome<Filled> fill_in(std::span<char* const> words, std::span<const Given> networks);

class Command {
 public:
  // In this process group, with signals as they were before `signals`; of the descriptors that are close-on-exec it
  // inherits `fds` alone. 127 where there is no such program, 126 where it cannot be executed.
  static Outcome<Command> start(std::vector<std::string> words, std::span<const int> fds, const Signals& signals);
  Command(Command&&) = default;

  // For poll(): readable once it has ended.
  int fd() const { return pidfd_.get(); }
  // Waits. Its exit status, or 128 + the number of the signal that killed it.
  int wait() const;
  // Passes a signal on, unless the terminal has sent it to the whole process group, the command included. Where that
  // fails, why.
  Outcome<void> pass_on(const signalfd_siginfo& signal) const;

 private:
  Command(pid_t pid, unique_fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  unique_fd pidfd_;
};

}  // namespace umlnet::cli
