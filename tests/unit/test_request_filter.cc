// The filter as the kernel sees it: a child enters it and tries one thing.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "libumlnet/core/look_at_fd.h"
#include "tests/unit/in_a_child.h"
#include "tests/unit/qemu_user.h"
#include "uml_net/priv/request_filter.h"
#include "uml_net/priv/tun.h"

using namespace umlnet;

namespace {

constexpr int kTun = 100, kRtnetlink = 101, kFront = 102, kAudit = 103, kJournal = 104, kOther = 105, kCounters = 106;

// The child has /dev/null at all of the fds: what matters here is whether the kernel lets the call begin.
End in_the_stage(const std::function<void()>& attempt, int counters = kCounters) {
  return in_a_child(
      [&] {
        const int null = ::open("/dev/null", O_RDWR);
        for (const int fd : {kTun, kRtnetlink, kFront, kAudit, kJournal, kOther, kCounters}) ::dup2(null, fd);
        const priv::RequestFilterFds fds{.tuns = {kTun},
                                         .rtnetlink = kRtnetlink,
                                         .front = kFront,
                                         .front_pid = ::getpid(),
                                         .audit = kAudit,
                                         .counters = counters,
                                         .journal = kJournal};
        return priv::request_filter(fds).enter().has_value();
      },
      attempt);
}

}  // namespace

TEST_CASE("stage filter: what the stage needs is let through") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  msghdr message{};
  CHECK(in_the_stage([&] { ::sendmsg(kFront, &message, 0); }) == End::lived);
  CHECK(in_the_stage([&] { ::recvmsg(kFront, &message, 0); }) == End::lived);
  CHECK(in_the_stage([&] { ::write(kAudit, &byte, 1); }) == End::lived);
  CHECK(in_the_stage([&] { ::pread(kAudit, &byte, 1, 0); }) == End::lived);
  struct flock lock{};
  CHECK(in_the_stage([&] { ::fcntl(kCounters, F_OFD_SETLK, &lock); }) == End::lived);
  CHECK(in_the_stage([&] { ::fcntl(kAudit, F_OFD_SETLK, &lock); }) == End::killed);
  CHECK(in_the_stage([&] { ::fcntl(kAudit, F_OFD_SETLK, &lock); }, -1) == End::lived);
  CHECK(in_the_stage([] { ::poll(nullptr, 0, 1); }) == End::lived);
  rlimit limit{};
  CHECK(in_the_stage([&] { ::getrlimit(RLIMIT_FSIZE, &limit); }) == End::lived);
  CHECK(in_the_stage([&] { ::send(kJournal, &byte, 1, 0); }) == End::lived);
  CHECK(in_the_stage([&] { ::sendto(kRtnetlink, &byte, 1, 0, nullptr, 0); }) == End::lived);
  CHECK(in_the_stage([&] { ::recv(kRtnetlink, &byte, 1, 0); }) == End::lived);
  for (const auto request : priv::kTunRequests)
    CHECK(in_the_stage([&] { ::ioctl(kTun, request, nullptr); }) == End::lived);
  struct stat status{};
  CHECK(in_the_stage([&] { look_at_fd(kOther, status); }) == End::lived);
  CHECK(in_the_stage([] { ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }) ==
        End::lived);
}

TEST_CASE("stage filter: anything else kills the process") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  struct flock lock{};
  rlimit limit{};
  const std::pair<const char*, std::function<void()>> attempts[] = {
      {"write to another fd", [&] { ::write(kOther, &byte, 1); }},
      {"write on stderr", [&] { ::write(STDERR_FILENO, &byte, 0); }},
      {"send on another fd", [&] { ::sendto(kOther, &byte, 1, 0, nullptr, 0); }},
      {"cutting the log", [] { ::ftruncate(kAudit, 0); }},
      {"a lock that waits", [&] { ::fcntl(kAudit, F_OFD_SETLKW, &lock); }},
      {"a lock on another fd", [&] { ::fcntl(kOther, F_OFD_SETLK, &lock); }},
      {"duplicating the log", [] { ::fcntl(kAudit, F_DUPFD, 0); }},
      {"writing anywhere in another file", [&] { ::pwrite(kOther, &byte, 1, 0); }},
      {"setting a limit", [&] { ::setrlimit(RLIMIT_FSIZE, &limit); }},
      {"asking for another limit", [&] { ::getrlimit(RLIMIT_NOFILE, &limit); }},
      {"a tun ioctl on another fd", [] { ::ioctl(kOther, priv::kTunRequests[0], nullptr); }},
      {"another ioctl on the tun fd", [] { ::ioctl(kTun, 0x400454cd /* TUNSETLINK */, 1); }},
#ifndef UMLNET_SANITIZED
      {"open", [] { ::open("/dev/null", O_RDONLY); }},
      {"read", [&] { ::read(kTun, &byte, 1); }},
      {"executable memory", [] { ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
#endif
      {"socket", [] { ::socket(AF_NETLINK, SOCK_RAW, 0); }},
      {"execve", [] { ::execl("/bin/true", "true", nullptr); }},
#ifdef SYS_fork
      {"fork", [] { ::syscall(SYS_fork); }},
#endif
      {"clone", [] { ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
      {"ptrace", [] { ::syscall(SYS_ptrace, 0, 0, 0, 0); }},
      {"setuid", [] { ::syscall(SYS_setuid, 0); }},
      {"kill", [] { ::kill(1, 0); }},
      {"unshare", [] { ::syscall(SYS_unshare, 0); }},
      {"io_uring", [] { ::syscall(SYS_io_uring_setup, 1, nullptr); }},
#ifdef __x86_64__
      {"the 32-bit table", [] { asm volatile("int $0x80" ::"a"(20)); }},
#endif
  };
  for (const auto& [name, attempt] : attempts) CHECK_MESSAGE(in_the_stage(attempt) == End::killed, name);
}
