#include "libumlnet/client/watcher.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstdint>

#include "libumlnet/client/raw_syscall.h"

// Its stack is none that the sanitizers know.
#define UMLNET_BARE __attribute__((no_sanitize("address", "undefined")))

namespace umlnet::client {
namespace {

struct KernelSigaction {  // of the system call, which differs from the C library's
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  std::uint64_t mask;
};
constexpr long kSignals = 64;

UMLNET_BARE void default_signals() {
  KernelSigaction action;
  action.handler = SIG_DFL;
  action.flags = 0;
  action.restorer = nullptr;
  action.mask = 0;
  for (long signal = 1; signal <= kSignals; ++signal)
    raw_syscall(SYS_rt_sigaction, signal, raw(&action), 0, sizeof action.mask);
}

UMLNET_BARE void close_all_but_the_jobs(const WatcherJob& job) {
  // In order of number: a handful, looked through each time.
  long next = 0;
  for (;;) {
    long lowest = job.channel >= next ? job.channel : -1;
    for (std::size_t i = 0; i < job.fd_count; ++i)
      if (job.fds[i].fd >= next && (lowest < 0 || job.fds[i].fd < lowest)) lowest = job.fds[i].fd;
    if (lowest < 0) break;
    if (lowest > next) raw_syscall(SYS_close_range, next, lowest - 1, 0);
    next = lowest + 1;
  }
  raw_syscall(SYS_close_range, next, static_cast<long>(~0U), 0);
}

UMLNET_BARE int become_the_program(void* argument) {
  auto& job = *static_cast<WatcherJob*>(argument);
  long error = 0;
  for (std::size_t i = 0; i < job.fd_count && error >= 0; ++i)
    error = raw_syscall(SYS_dup3, job.fds[i].fd, job.fds[i].number, 0);
  // A session of its own: Ctrl-C at the host program's terminal is for the host program, which may go on.
  raw_syscall(SYS_setsid);
  const std::uint64_t none = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, raw(&none), 0, sizeof none);
  if (error >= 0) error = raw_syscall(SYS_execve, raw(job.path), raw(job.arguments), raw(job.environment));
  job.exec_error = static_cast<int>(-error);
  for (;;) raw_syscall(SYS_exit, 127);
}

UMLNET_BARE void say(const WatcherJob& job, WatcherSays::What what, int value) {
  const WatcherSays words{what, value};
  raw_syscall(SYS_sendto, job.channel, raw(&words), sizeof words, MSG_NOSIGNAL);
}

}  // namespace

UMLNET_BARE int watch(void* argument) {
  auto& job = *static_cast<WatcherJob*>(argument);
  default_signals();  // an ignored SIGCHLD would lose the program's status
  close_all_but_the_jobs(job);

  int pidfd = -1;
  const int pid =
      ::clone(become_the_program, job.program_stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &job, &pidfd);
  // From here on the program, or nobody, has what was given to it.
  for (std::size_t i = 0; i < job.fd_count; ++i) raw_syscall(SYS_close, job.fds[i].fd);
  if (pid < 0 || job.exec_error != 0) {
    if (pid > 0) raw_syscall(SYS_wait4, pid, 0, 0, 0);
    say(job, WatcherSays::not_started, pid < 0 ? EAGAIN : job.exec_error);
    raw_syscall(SYS_exit, 0);
  }
  say(job, WatcherSays::started, pid);

  for (;;) {
    pollfd polls[2] = {{.fd = job.channel, .events = POLLIN, .revents = 0},
                       {.fd = pidfd, .events = POLLIN, .revents = 0}};
    raw_syscall(SYS_ppoll, raw(polls), 2, 0, 0, 0);
    if ((polls[1].revents & POLLIN) != 0) {
      int status = 0;
      raw_syscall(SYS_wait4, pid, raw(&status), 0, 0);
      say(job, WatcherSays::ended, status);
      break;
    }
    if (polls[0].revents != 0) {
      char order = 0;
      if (raw_syscall(SYS_recvfrom, job.channel, raw(&order), 1, MSG_DONTWAIT) != 1) break;
      const long killed = raw_syscall(SYS_kill, pid, SIGKILL);
      if (killed < 0) {  // it has become somebody else
        say(job, WatcherSays::cannot_kill, static_cast<int>(-killed));
        break;
      }
    }
  }
  raw_syscall(SYS_exit, 0);
  return 0;
}

}  // namespace umlnet::client
