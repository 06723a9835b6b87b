#include "uml_net/front/front.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <string_view>
#include <vector>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/filters.h"
#include "uml_net/front/serve_caller.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/child_process.h"
#include "uml_net/sys/keep_fds.h"
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
  const NumberedFd kept[] = {{channel, fd_number::kFrontChannel}, {named, fd_number::kNamed}};
  if (!keep_fds(STDERR_FILENO + 1, kept)) return false;
  return filters::enter(named < 0 ? filters::kFront : filters::kFrontWithNamed).has_value();
}

[[noreturn]] void be_the_front(int channel, int argc, const char* const* argv, int named) {
  if (!drop_all_privileges(channel, named)) {
    write_error({Code::kernel, errno, "the process that talks to the caller cannot give up its privileges", {}});
    ::_exit(1);
  }
  try {
    const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    serve_caller(fd_number::kFrontChannel, arguments, named < 0 ? -1 : fd_number::kNamed);
  } catch (const std::exception& exception) {
    write_error({Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."});
  }
  ::_exit(0);
}

}  // namespace

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
  theirs.reset();
  auto pidfd = pidfd_of(pid, fd_number::kFrontPidfd);
  if (!pidfd) return std::unexpected(std::move(pidfd.error()));
  auto channel = give_number(std::move(ours), fd_number::kFront);
  if (!channel) return std::unexpected(std::move(channel.error()));
  return FrontProcess{*std::move(pidfd), *std::move(channel)};
}

}  // namespace umlnet
