#include "libumlnet/cli/signals.h"

#include <poll.h>
#include <sysexits.h>

#include <cerrno>
#include <cstring>

namespace umlnet::cli {

Outcome<Signals> Signals::catch_all(std::initializer_list<int> wanted) {
  Signals signals;
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : wanted) {
    struct sigaction before{};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaddset(&set, signal);
  }
  struct sigaction action{};
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, &signals.pipe_before_);
  // Ignored by who started this, it would lose the status of the command.
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &action, &signals.child_before_);
  ::sigprocmask(SIG_BLOCK, &set, &signals.mask_before_);
  signals.fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.fd_) return trouble_errno(EX_OSERR, "cannot receive signals", errno);
  return signals;
}

std::optional<signalfd_siginfo> Signals::next() const {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  return info;
}

int Signals::wait_for(int fd, int timeout_ms) const {
  pollfd polls[2] = {{.fd = fd_.get(), .events = POLLIN, .revents = 0}, {.fd = fd, .events = POLLIN, .revents = 0}};
  ::poll(polls, 2, timeout_ms);
  while (const auto signal = next())
    if (asks_to_end(*signal)) return static_cast<int>(signal->ssi_signo);
  return 0;
}

void Signals::restore() const {
  ::sigaction(SIGPIPE, &pipe_before_, nullptr);
  ::sigaction(SIGCHLD, &child_before_, nullptr);
  ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

bool asks_to_end(const signalfd_siginfo& signal) {
  switch (static_cast<int>(signal.ssi_signo)) {
    case SIGINT:
    case SIGTERM:
    case SIGHUP:
    case SIGQUIT: return true;
    default: return false;
  }
}

std::string name_of_signal(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

}  // namespace umlnet::cli
