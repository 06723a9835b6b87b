#include "uml_net/worker/relay_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/child_process.h"
#include "uml_net/sys/keep_fds.h"

namespace umlnet {

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
  if (pid == 0) {
    priv::drop_net_admin();  // all that was left
    const RelayFds fds{.tap = tun, .data = data, .controller = theirs.get()};
    ::_exit(static_cast<int>(become_relay(fds, kEthertapPackets, *counters)));
  }
  theirs.reset();
  auto pidfd = pidfd_of(pid, fd_number::kRelayPidfd);
  if (!pidfd) return std::unexpected(std::move(pidfd.error()));
  auto channel = give_number(std::move(ours), fd_number::kRelay);
  if (!channel) return std::unexpected(std::move(channel.error()));
  return RelayProcess(*std::move(pidfd), *std::move(channel), std::move(counters));
}

Result<void> RelayProcess::begin() {
  const char go = 1;
  if (::send(channel_.get(), &go, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
    return fail_errno(Code::kernel, errno, "the relay process is gone");
  return {};
}

RelayProcess::End RelayProcess::end() {
  const unique_fd pidfd = std::move(pidfd_);
  if (!pidfd) return End::ended_here;
  // What the relay is told by its closed channel it may be too stopped to hear.
  const bool ended_before = [&] {
    char byte = 0;
    // Its end, or a reset where it died before it read what begin() sent.
    return ::recv(channel_.get(), &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN;
  }();
  if (!ended_before) kill_child(pidfd.get());
  const auto status = wait_for_child(pidfd.get());
  if (!ended_before) return End::ended_here;
  if (!status) return End::died;
  switch (static_cast<RelayEnd>(*status)) {
    case RelayEnd::guest_gone: return End::by_guest;
    case RelayEnd::device_gone: return End::by_device;
    default: return End::died;
  }
}

RelayProcess::~RelayProcess() { end(); }

}  // namespace umlnet
