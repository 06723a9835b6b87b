#include "uml_net/startup/startup.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include "libumlnet/core/close_fds.h"
#include "policy/location.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/sys/open_file_limit.h"

namespace umlnet {
namespace {

Result<unique_fd> settle_fds(int keep) {
  // Looked at first: what is opened from here on must not be taken for it.
  const bool is_open = keep >= 0 && ::fcntl(keep, F_GETFD) >= 0;
  // open() gives the lowest free number, so this fills the holes below 3 from the left.
  int fd = -1;
  do {
    fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0)
      return fail_errno(Code::kernel, errno, "cannot open /dev/null",
                        errno == EMFILE ? "The caller's limit on open files (ulimit -n) is too low for uml_net." : "");
  } while (fd <= STDERR_FILENO);
  if (is_open && keep != fd_number::kNamed && ::dup3(keep, fd_number::kNamed, O_CLOEXEC) < 0)
    return fail_errno(Code::kernel, errno, "cannot give the caller's descriptor another number");
  unique_fd kept(is_open ? fd_number::kNamed : -1);
  if (auto closed = close_fds_from(kept ? fd_number::kNamed + 1 : fd_number::kNamed, {}); !closed)
    return std::unexpected(std::move(closed.error()));
  return kept;
}

void settle_signals() {
  // Those that the kernel itself sends. Of real-time signals none comes that somebody did not send, and nobody waits.
  for (int signal = 1; signal <= SIGSYS; ++signal) ::signal(signal, SIG_DFL);  // fails for SIGKILL and SIGSTOP
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const itimerval off{};
  for (const auto timer : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) ::setitimer(timer, &off, nullptr);
  ::prctl(PR_SET_PDEATHSIG, 0L, 0L, 0L, 0L);
  // The kernel's own: a caller could have every wait last for as long as it likes.
  constexpr long kTimerSlack = 50'000;  // nanoseconds
  ::prctl(PR_SET_TIMERSLACK, kTimerSlack, 0L, 0L, 0L);
}

// What the caller may not lower for a program with privilege, as far as its hard limit allows.
Result<void> settle_stack() {
  constexpr rlim_t kEnough = 64 << 10;  // bytes
  rlimit stack{};
  if (::getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur >= kEnough) return {};
  stack.rlim_cur = std::min(stack.rlim_max, kEnough);
  if (::setrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur == kEnough) return {};
  return fail(Code::kernel, "the caller's limit on the stack (ulimit -s) is too low for uml_net", "It needs 64 KiB.");
}

bool are_the_same(int fd, const struct stat& file) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && status.st_dev == file.st_dev && status.st_ino == file.st_ino;
}

}  // namespace

Result<void> keep_words_out_of_the_log() {
  struct stat file{};
  if (::stat(policy::kAuditLog, &file) != 0) return {};
  for (const int words : {STDOUT_FILENO, STDERR_FILENO}) {
    if (!are_the_same(words, file)) continue;
    const unique_fd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!nowhere || ::dup2(nowhere.get(), words) < 0) return fail_errno(Code::kernel, errno, "cannot open /dev/null");
  }
  return {};
}

Result<RequestId> random_id() {
  std::array<std::uint8_t, 16> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return fail_errno(Code::kernel, errno, "cannot get random bytes for the request's id");
  return RequestId(random);
}

Result<void> let_go_of_stdio() {
  const unique_fd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (!nowhere || ::dup2(nowhere.get(), fd) < 0) return fail_errno(Code::kernel, errno, "cannot open /dev/null");
  return {};
}

Result<unique_fd> sanitize_environment(int keep) {
  ::clearenv();
  if (auto enough = settle_stack(); !enough) return std::unexpected(std::move(enough.error()));
  raise_open_file_limit();
  auto kept = settle_fds(keep);
  if (!kept) return kept;
  settle_signals();
  ::umask(077);
  if (::chdir("/") != 0) return fail_errno(Code::kernel, errno, "cannot change to the root directory");
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  rlimit size{};
  if (::getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur != size.rlim_max) {
    size.rlim_cur = size.rlim_max;
    ::setrlimit(RLIMIT_FSIZE, &size);
  }
  if (::prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0)
    return fail_errno(Code::kernel, errno, "cannot keep others from tracing this process");
  return kept;
}

}  // namespace umlnet
