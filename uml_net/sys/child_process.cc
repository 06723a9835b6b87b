#include "uml_net/sys/child_process.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "uml_net/sys/keep_fds.h"

namespace umlnet {
namespace {

constexpr auto kPidfd = static_cast<idtype_t>(3);  // P_PIDFD, which older C libraries do not name

}  // namespace

Result<unique_fd> pidfd_of(pid_t child, int number) {
  const auto open = [&]() -> Result<unique_fd> {
    unique_fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    if (pidfd) return give_number(std::move(pidfd), number);
    return fail_errno(Code::kernel, errno, "cannot get hold of a process that was just started");
  };
  auto pidfd = open();
  if (pidfd) return pidfd;
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return pidfd;
}

void kill_child(int pidfd) { ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0); }

std::optional<int> wait_for_child(int pidfd) {
  siginfo_t ended{};
  int waited = -1;
  do {
    waited = ::waitid(kPidfd, static_cast<id_t>(pidfd), &ended, WEXITED);
  } while (waited < 0 && errno == EINTR);
  if (waited != 0 || ended.si_code != CLD_EXITED) return std::nullopt;
  return ended.si_status;
}

}  // namespace umlnet
