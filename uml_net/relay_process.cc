#include "uml_net/relay_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <new>

#include "libumlnet/core/close_fds.h"
#include "uml_net/priv/capability.h"

namespace umlnet {
namespace {

constexpr int kFds = 3;

[[noreturn]] void leave(RelayEnd end) { ::_exit(static_cast<int>(end)); }

[[noreturn]] void be_the_relay(const RelayFds& fds, FrameCounters& counters) {
  priv::drop_net_admin();  // all that was left
  const std::array<int, kFds> kept = {fds.tap, fds.data, fds.controller};
  if (!close_fds_from(0, kept)) leave(RelayEnd::failed);
  const rlimit no_more{kFds, kFds};  // poll() wants as many as it is given
  ::setrlimit(RLIMIT_NOFILE, &no_more);
  if (!relay_filter(fds).enter()) leave(RelayEnd::failed);

  char go = 0;
  ssize_t size = -1;
  do {
    size = ::read(fds.controller, &go, 1);
  } while (size < 0 && errno == EINTR);
  if (size != 1) leave(RelayEnd::controller_gone);
  leave(relay_frames(fds.tap, fds.data, fds.controller, counters));
}

}  // namespace

SeccompFilter relay_filter(const RelayFds& fds) {
  using Where = SeccompFilter::Where;
  SeccompFilter filter;
  filter.allow_poll({Where::equals(1, kFds)});
  filter.allow_on_fd(SYS_read, fds.tap).allow_on_fd(SYS_writev, fds.tap);
  filter.allow_on_fd(SYS_sendto, fds.data).allow_on_fd(SYS_recvfrom, fds.data);
  filter.allow_on_fd(SYS_read, fds.controller);
  filter.allow(SYS_exit_group).allow(SYS_restart_syscall);
#ifdef UMLNET_SANITIZED
  filter.allow(SYS_sigaltstack);  // before a call that does not return. Not in a release build.
#endif
  return filter;
}

void RelayProcess::Unmap::operator()(FrameCounters* counters) const { ::munmap(counters, sizeof *counters); }

Result<RelayProcess> RelayProcess::start(int tun, int data) {
  if (::fcntl(tun, F_SETFL, ::fcntl(tun, F_GETFL) | O_NONBLOCK) != 0)
    return fail_errno(Code::kernel, errno, "cannot set /dev/net/tun to non-blocking");
  void* memory = ::mmap(nullptr, sizeof(FrameCounters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail_errno(Code::kernel, errno, "cannot get memory for the session's counters");
  SharedCounters counters(new (memory) FrameCounters);
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return fail_errno(Code::kernel, errno, "cannot make the relay's channel");
  unique_fd ours(pair[0]), theirs(pair[1]);

  const pid_t pid = ::fork();
  if (pid < 0)
    return fail_errno(Code::kernel, errno, "cannot start the relay process",
                      "The caller's limit on processes (ulimit -u) may be reached.");
  if (pid == 0) be_the_relay({.tap = tun, .data = data, .controller = theirs.get()}, *counters);
  return RelayProcess(Pid(pid), std::move(ours), std::move(counters));
}

Result<void> RelayProcess::begin() {
  const char go = 1;
  if (::send(channel_.get(), &go, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
    return fail_errno(Code::kernel, errno, "the relay process is gone");
  return {};
}

RelayProcess::End RelayProcess::end() {
  const pid_t pid = std::exchange(pid_.value, -1);
  if (pid < 0) return End::ended_here;
  // What the relay is told by its closed channel it may be too stopped to hear.
  const bool ended_before = [&] {
    char byte = 0;
    // Its end, or a reset where it died before it read what begin() sent.
    return ::recv(channel_.get(), &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN;
  }();
  if (!ended_before) ::kill(pid, SIGKILL);
  int status = 0;
  pid_t waited = -1;
  do {
    waited = ::waitpid(pid, &status, 0);
  } while (waited < 0 && errno == EINTR);
  if (!ended_before) return End::ended_here;
  if (waited != pid || !WIFEXITED(status)) return End::died;
  switch (static_cast<RelayEnd>(WEXITSTATUS(status))) {
    case RelayEnd::guest_gone: return End::by_guest;
    case RelayEnd::device_gone: return End::by_device;
    default: return End::died;
  }
}

RelayProcess::~RelayProcess() { end(); }

}  // namespace umlnet
