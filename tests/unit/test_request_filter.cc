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
#include "policy/location.h"
#include "tests/unit/in_a_child.h"
#include "tests/unit/qemu_user.h"
#include "uml_net/priv/request_filter.h"
#include "uml_net/priv/tun.h"
#include "uml_net/recorder/recorder.h"

using namespace umlnet;

namespace {

constexpr int kTun = 100, kRtnetlink = 101, kFront = 102, kRecorder = 103, kOther = 104;
// Of the recorder.
constexpr int kChannel = 110, kLog = 111, kCounters = 112, kJournal = 113;
constexpr int kAll[] = {kTun, kRtnetlink, kFront, kRecorder, kOther, kChannel, kLog, kCounters, kJournal};

// The child has /dev/null at all of the fds: what matters here is whether the kernel lets the call begin.
End under(const std::function<SeccompFilter()>& filter, const std::function<void()>& attempt) {
  return in_a_child(
      [&] {
        const int null = ::open("/dev/null", O_RDWR);
        for (const int fd : kAll) ::dup2(null, fd);
        return filter().enter().has_value();
      },
      attempt);
}

End in_the_executor(const std::function<void()>& attempt) {
  return under(
      [] {
        return priv::request_filter({.tuns = {kTun},
                                     .rtnetlink = kRtnetlink,
                                     .front = kFront,
                                     .front_pid = ::getpid(),
                                     .recorder = kRecorder,
                                     .recorder_pid = 4713});
      },
      attempt);
}

End in_the_recorder(const std::function<void()>& attempt, int locks = kCounters) {
  return under(
      [locks] {
        return recorder_filter({.channel = kChannel, .log = kLog, .locks = locks, .journal = kJournal}, false, true);
      },
      attempt);
}

}  // namespace

TEST_CASE("executor's filter: what it needs is let through") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  msghdr message{};
  for (const int channel : {kFront, kRecorder}) {
    CHECK(in_the_executor([&] { ::sendmsg(channel, &message, 0); }) == End::lived);
    CHECK(in_the_executor([&] { ::recvmsg(channel, &message, 0); }) == End::lived);
  }
  CHECK(in_the_executor([&] { ::sendto(kRtnetlink, &byte, 1, 0, nullptr, 0); }) == End::lived);
  CHECK(in_the_executor([&] { ::recv(kRtnetlink, &byte, 1, 0); }) == End::lived);
  for (const auto request : priv::kTunRequests)
    CHECK(in_the_executor([&] { ::ioctl(kTun, request, nullptr); }) == End::lived);
  CHECK(in_the_executor([] { ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }) ==
        End::lived);
}

TEST_CASE("recorder's filter: what it needs is let through") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  msghdr message{};
  struct flock lock{};
  rlimit limit{};
  CHECK(in_the_recorder([&] { ::sendmsg(kChannel, &message, 0); }) == End::lived);
  CHECK(in_the_recorder([&] { ::recvmsg(kChannel, &message, 0); }) == End::lived);
  CHECK(in_the_recorder([&] { ::write(kLog, &byte, 1); }) == End::lived);
  CHECK(in_the_recorder([&] { ::pread(kLog, &byte, 1, 0); }) == End::lived);
  CHECK(in_the_recorder([&] { ::fcntl(kCounters, F_OFD_SETLK, &lock); }) == End::lived);
  CHECK(in_the_recorder([&] { ::fcntl(kLog, F_OFD_SETLK, &lock); }) == End::killed);
  CHECK(in_the_recorder([&] { ::fcntl(kLog, F_OFD_SETLK, &lock); }, kLog) == End::lived);
  CHECK(in_the_recorder([] { ::poll(nullptr, 0, 1); }) == End::lived);
  CHECK(in_the_recorder([&] { ::getrlimit(RLIMIT_FSIZE, &limit); }) == End::lived);
  CHECK(in_the_recorder([&] { ::send(kJournal, &byte, 1, 0); }) == End::lived);
}

TEST_CASE("recorder's filter: anything else kills the process") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  struct flock lock{};
  rlimit limit{};
  const std::pair<const char*, std::function<void()>> attempts[] = {
      {"write to another fd", [&] { ::write(kOther, &byte, 1); }},
      {"send on another fd", [&] { ::sendto(kOther, &byte, 1, 0, nullptr, 0); }},
      {"cutting the log", [] { ::ftruncate(kLog, 0); }},
      {"a lock that waits", [&] { ::fcntl(kCounters, F_OFD_SETLKW, &lock); }},
      {"a lock on another fd", [&] { ::fcntl(kOther, F_OFD_SETLK, &lock); }},
      {"duplicating the log", [] { ::fcntl(kLog, F_DUPFD, 0); }},
      {"another file in another's place", [] { ::dup3(kLog, kOther, 0); }},
      {"writing at a place of the log", [&] { ::pwrite(kLog, &byte, 1, 0); }},
      {"setting a limit", [&] { ::setrlimit(RLIMIT_FSIZE, &limit); }},
      {"asking for another limit", [&] { ::getrlimit(RLIMIT_NOFILE, &limit); }},
      {"ioctl", [] { ::ioctl(kTun, priv::kTunRequests[0], nullptr); }},
      {"socket", [] { ::socket(AF_NETLINK, SOCK_RAW, 0); }},
      {"unlink", [] { ::unlink(policy::kAuditLog); }},
      {"capset", [] { ::syscall(SYS_capset, nullptr, nullptr); }},
      {"setuid", [] { ::syscall(SYS_setuid, 0); }},
      {"clone", [] { ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
      {"execve", [] { ::execl("/bin/true", "true", nullptr); }},
      {"kill", [] { ::kill(1, 0); }},
  };
  for (const auto& [name, attempt] : attempts) CHECK_MESSAGE(in_the_recorder(attempt) == End::killed, name);
}

TEST_CASE("executor's filter: anything else kills the process") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  rlimit limit{};
  const std::pair<const char*, std::function<void()>> attempts[] = {
      {"write to another fd", [&] { ::write(kOther, &byte, 1); }},
      {"write on stderr", [&] { ::write(STDERR_FILENO, &byte, 0); }},
      {"send on another fd", [&] { ::sendto(kOther, &byte, 1, 0, nullptr, 0); }},
      {"write to a channel", [&] { ::write(kRecorder, &byte, 1); }},
      {"cutting a file", [] { ::ftruncate(kOther, 0); }},
      {"duplicating", [] { ::fcntl(kOther, F_DUPFD, 0); }},
      {"reading a file", [&] { ::pread(kOther, &byte, 1, 0); }},
      {"setting a limit", [&] { ::setrlimit(RLIMIT_FSIZE, &limit); }},
      {"asking for a limit", [&] { ::getrlimit(RLIMIT_NOFILE, &limit); }},
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
  for (const auto& [name, attempt] : attempts) CHECK_MESSAGE(in_the_executor(attempt) == End::killed, name);
}
