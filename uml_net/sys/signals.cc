#include "uml_net/sys/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace umlnet {

Result<unique_fd> hold_signals_back() {
  ::setsid();  // fails where the process leads a group already, which then is its own
  sigset_t ending;
  sigemptyset(&ending);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&ending, signal);
  if (!block_all_signals()) return fail_errno(Code::kernel, errno, "cannot hold signals back");
  unique_fd fd(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail_errno(Code::kernel, errno, "cannot listen for signals");
  return fd;
}

bool block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  return ::sigprocmask(SIG_SETMASK, &all, nullptr) == 0;
}

}  // namespace umlnet
