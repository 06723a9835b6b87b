// Another program, started and ended without the host program noticing: no SIGCHLD, nothing to wait for, no signal
// disposition touched, no copy of its memory. See watcher.h for how.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/client/deadline.h"
#include "libumlnet/client/failure.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::client {

struct Program {
  std::string path;
  std::vector<std::string> arguments;  // from argv[0] on
  struct GivenFd {
    int number;  // in the program
    int fd;      // borrowed; the program gets a copy
  };
  // The only descriptors of the program. Of 0, 1 and 2 those that are not here are /dev/null.
  std::vector<GivenFd> fds;
};

class WatchedProcess {
 public:
  // Starts it, with a PATH of the system's directories as its whole environment, default signals, and none blocked.
  // UMLNET_NO_HELPER where it cannot be executed; UMLNET_SYSTEM.
  static Outcome<WatchedProcess> start(const Program& program);

  WatchedProcess(WatchedProcess&&) noexcept;
  WatchedProcess& operator=(WatchedProcess&&) noexcept;
  // Kills what still runs.
  ~WatchedProcess();

  pid_t pid() const;
  // For poll(): readable once the program has ended. Belongs to this object.
  int end_fd() const;
  // Its status as wait(2) has it, once it has ended; nothing where it has not by then, or where nobody can tell (the
  // watcher was killed): has_ended() tells the two apart. The same answer again after that.
  std::optional<int> wait(const Deadline& deadline);
  bool has_ended() const;
  // SIGKILL, and waits for its end, 5 seconds at the most. A program that has become another user cannot be killed, and
  // is left to itself.
  void kill();

 private:
  struct Watcher;
  explicit WatchedProcess(std::unique_ptr<Watcher> watcher);
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace umlnet::client
