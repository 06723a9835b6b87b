#include "uml_net/front/front.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <string_view>
#include <vector>

#include "libumlnet/core/close_fds.h"
#include "uml_net/front/serve_caller.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/open_file_limit.h"
#include "uml_net/sys/signals.h"
#include "uml_net/sys/stderr.h"
#include "uml_net/sys/take_identity.h"

namespace umlnet {
namespace {

// Each step fails closed: nothing of the caller's is read before all of them are done.
bool drop_all_privileges(int channel, int named) {
  priv::drop_net_admin();  // and every other
  if (!take_identity(::getuid(), ::getgid())) return false;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 || ::prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0) return false;
  ::setsid();
  if (!block_all_signals()) return false;  // the executor hears of them, and its end is the front's
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) != 0) return false;
  raise_open_file_limit();
  if (!close_fds_from(STDERR_FILENO + 1, std::array{channel, named})) return false;
  return front_filter(channel, named).enter().has_value();
}

[[noreturn]] void be_the_front(int channel, int argc, const char* const* argv, int named) {
  if (!drop_all_privileges(channel, named)) {
    write_error({Code::kernel, errno, "the process that talks to the caller cannot give up its privileges", {}});
    ::_exit(1);
  }
  try {
    const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    serve_caller(channel, arguments, named);
  } catch (const std::exception& exception) {
    write_error({Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."});
  }
  ::_exit(0);
}

}  // namespace

SeccompFilter front_filter(int channel, int named) {
  using ArgMatch = SeccompFilter::ArgMatch;
  constexpr int kPlain[] = {SYS_brk,   SYS_munmap,          SYS_mremap,       SYS_madvise,        SYS_close,
                            SYS_exit,  SYS_exit_group,      SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_clock_gettime,
                            SYS_futex, SYS_restart_syscall, SYS_fstat,        SYS_getsockopt,     SYS_getpeername};
  SeccompFilter filter;
  filter.allow_each(kPlain).allow_poll();
  filter.allow(SYS_mmap, {ArgMatch::has_none_of(2, PROT_EXEC)});
  filter.allow(SYS_fcntl, {ArgMatch::equals_int(1, F_GETFL)});
  filter.allow_on_fd(SYS_sendmsg, channel).allow_on_fd(SYS_recvmsg, channel);
  filter.allow_on_fd(SYS_recvmsg, STDOUT_FILENO);
  filter.allow_on_fd(SYS_recvfrom, STDOUT_FILENO).allow_on_fd(SYS_sendto, STDOUT_FILENO);
  for (const int fd : {STDOUT_FILENO, named}) filter.allow_on_fd(SYS_sendmsg, fd);
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) filter.allow_on_fd(SYS_write, fd).allow_on_fd(SYS_pwritev2, fd);
#ifdef UMLNET_SANITIZED
  // What the sanitizers' own run-time asks for. Not in a release build.
  for (const int call : {SYS_mmap, SYS_mprotect, SYS_sigaltstack, SYS_getpid, SYS_gettid, SYS_rt_sigaction,
                         SYS_sched_yield, SYS_openat, SYS_read, SYS_prctl, SYS_getrandom})
    filter.allow(call);
#endif
  return filter;
}

Result<FrontProcess> start_front(int argc, const char* const* argv, int named) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return fail_errno(Code::kernel, errno, "cannot make a channel to the process that talks to the caller",
                      errno == EMFILE ? "The caller's limit on open files (ulimit -n) is too low for uml_net." : "");
  unique_fd ours(pair[0]), theirs(pair[1]);
  const pid_t pid = ::fork();
  if (pid < 0)
    return fail_errno(Code::kernel, errno, "cannot start the process that talks to the caller",
                      "The caller's limit on processes (ulimit -u) may be reached.");
  if (pid == 0) be_the_front(theirs.get(), argc, argv, named);
  return FrontProcess{pid, std::move(ours)};
}

}  // namespace umlnet
