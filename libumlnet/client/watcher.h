// The watcher: a process between the host program and a program that the library starts, so that the host program does
// not notice. A program is a child of whoever starts it, and its end is a SIGCHLD and something to wait for; here that
// is the watcher. The watcher itself ends without a signal, and wait() does not see it (clone(2), exit signal 0).
//
// It runs on the host program's own memory, like a thread (CLONE_VM), since a copy of it would cost a VM manager all
// that its guest writes while the watcher lives. So it makes bare system calls only, on a stack of its own, and uses
// nothing that belongs to a thread or to the C library's state. In all else it is a process: descriptors (all closed
// but its own), signals (all blocked) and their handlers are its own. Once the program runs, the watcher has no
// capability and no system call left but those that it goes on with.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace umlnet::client {

inline constexpr std::size_t kWatcherFds = 8;  // the most that a program can be given

// What the watcher is to do. Lives, unchanged, until the watcher has ended.
struct WatcherJob {
  const char* path;        // of the program
  char* const* arguments;  // argv
  char* const* environment;
  struct GivenFd {
    int fd;      // here; close-on-exec, and greater than every `number`
    int number;  // in the program
  };
  GivenFd fds[kWatcherFds];
  std::size_t fd_count;
  int channel;                   // a SOCK_SEQPACKET socket to the host program
  unsigned char* program_stack;  // top of the stack for the moment between clone and execve
  int exec_error;                // of the program's execve; written by the watcher
};

// What the watcher says on the channel, in this order; ending without a word means that it was killed.
struct WatcherSays {
  enum What : int { started, not_started, ended, cannot_kill } what;
  int value;  // the program's pid; errno; its status as wait(2) has it; errno
};

// Any byte from the host program means: SIGKILL. The end of the channel means that the host program is gone, or does
// not care any more: the watcher ends and leaves the program alone.
int watch(void* job);

}  // namespace umlnet::client
