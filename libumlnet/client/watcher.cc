#include "libumlnet/client/watcher.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstdint>

#include "libumlnet/client/raw_syscall.h"
#include "libumlnet/core/system_calls.h"

// Its stack is none that the sanitizers know. The stack protector's value is in the memory of the thread that started
// the watcher, which may be gone, unmapped, before the watcher is.
#define UMLNET_BARE __attribute__((no_sanitize("address", "undefined", "thread"), no_stack_protector))

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

// Negative where it failed: a descriptor that stays here would, among others, be the channel's other end, and its
// closing would not show.
UMLNET_BARE long close_all_but_the_jobs(const WatcherJob& job) {
  // In order of number: a handful, looked through each time.
  long next = 0;
  for (;;) {
    long lowest = job.channel >= next ? job.channel : -1;
    for (std::size_t i = 0; i < job.fd_count; ++i)
      if (job.fds[i].fd >= next && (lowest < 0 || job.fds[i].fd < lowest)) lowest = job.fds[i].fd;
    if (lowest < 0) break;
    if (lowest > next)
      if (const long error = raw_syscall(SYS_close_range, next, lowest - 1, 0); error < 0) return error;
    next = lowest + 1;
  }
  constexpr long kLast = UINT32_MAX;
  return raw_syscall(SYS_close_range, next, kLast, 0);
}

// The watcher runs on memory that the host program can write to, with what the host program had when it started it. A
// host program that gives up privilege, or goes under a seccomp filter, would otherwise have left both behind here,
// within reach of whoever takes it over. What the filter does not let through fails; it does not kill, since a core
// dump would be one of the host program.
UMLNET_BARE void give_up_everything(int program) {
  __user_cap_header_struct header;
  header.version = _LINUX_CAPABILITY_VERSION_3;
  header.pid = 0;
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
  for (auto& part : none) part.effective = part.permitted = part.inheritable = 0;
  raw_syscall(SYS_capset, raw(&header), raw(none));
  raw_syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
  constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS, kIfEqual = BPF_JMP | BPF_JEQ | BPF_K,
                          kReturn = BPF_RET | BPF_K;
  constexpr std::uint32_t kFirstArgument = offsetof(seccomp_data, args);  // its low half: little endian only
  // Jumps are counted from the line behind them: to the last but one, which lets through, and the last, which does not.
  sock_filter lines[] = {
      {kLoad, 0, 0, offsetof(seccomp_data, arch)},
      {kIfEqual, 0, 11, kAuditArch},
      {kLoad, 0, 0, offsetof(seccomp_data, nr)},
      {kIfEqual, 8, 0, SYS_ppoll},
      {kIfEqual, 7, 0, SYS_wait4},
      {kIfEqual, 6, 0, SYS_sendto},
      {kIfEqual, 5, 0, SYS_recvfrom},
      {kIfEqual, 4, 0, SYS_exit},
      {kIfEqual, 3, 0, SYS_restart_syscall},
      {kIfEqual, 0, 3, SYS_kill},
      {kLoad, 0, 0, kFirstArgument},
      {kIfEqual, 0, 1, static_cast<std::uint32_t>(program)},
      {kReturn, 0, 0, SECCOMP_RET_ALLOW},
      {kReturn, 0, 0, SECCOMP_RET_ERRNO | EPERM},
  };
  sock_fprog filter;
  filter.len = sizeof lines / sizeof *lines;
  filter.filter = lines;
  raw_syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, raw(&filter));
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
  if (const long error = close_all_but_the_jobs(job); error < 0) {
    say(job, WatcherSays::not_started, static_cast<int>(-error));
    raw_syscall(SYS_exit, 0);
  }

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
  give_up_everything(pid);
  say(job, WatcherSays::started, pid);

  for (;;) {
    pollfd polls[2] = {{.fd = job.channel, .events = POLLIN, .revents = 0},
                       {.fd = pidfd, .events = POLLIN, .revents = 0}};
    // A filter of the host program's may forbid even that.
    if (const long ready = raw_syscall(SYS_ppoll, raw(polls), 2, 0, 0, 0); ready < 0 && ready != -EINTR) break;
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
