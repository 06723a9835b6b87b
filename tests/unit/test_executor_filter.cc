// The executor's filters as the kernel sees them: a child enters one and tries one thing.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <vector>

#include "tests/unit/in_a_child.h"
#include "tests/unit/qemu_user.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/filters.h"

using namespace umlnet;
using namespace umlnet::fd_number;

namespace {

constexpr int kOther = 200;    // the highest number here, and nothing to a single request
constexpr int kPidfdKind = 3;  // P_PIDFD of linux/wait.h
constexpr unsigned long kTunRequests[] = {TUNSETIFF, TUNSETOWNER, TUNSETGROUP, TUNSETPERSIST, SIOCGIFHWADDR};

struct Variant {
  const char* name;
  const filters::Filter* filter;
  bool has_caller_worker;
  std::vector<int> tuns;         // some of its numbers
  std::vector<int> rtnetlink;    // sendto and recvfrom
  std::vector<int> only_listen;  // recvfrom
};
const Variant kVariants[] = {
    {"one-shot", &filters::kOneShot, false, {kTun}, {kRtnetlink}, {}},
    {"5 open", &filters::kOneShotOpen, true, {kTun, 31, 32, 127}, {kRtnetlink, kTargetNamespace}, {}},
    {"controller", &filters::kController, false, {kTun}, {kRtnetlink, kRelay, kPeerWatch}, {kMonitor}},
    {"native session",
     &filters::kNativeSession,
     true,
     {kTun, 31, 32, 127, 128, 255},
     {kRtnetlink, kTun, 32, 64, 255},
     {kMonitor}},
};

// The child has /dev/null at all of the numbers: what matters here is whether the kernel lets the call begin.
End under(const filters::Filter& filter, const std::function<void()>& attempt) {
  return in_a_child(
      [&] {
        const int null = ::open("/dev/null", O_RDWR);
        for (int number = 3; number <= kOther; ++number) ::dup2(null, number);
        return filters::enter(filter).has_value();
      },
      attempt);
}

bool has(const std::vector<int>& numbers, int number) { return std::ranges::find(numbers, number) != numbers.end(); }

void end(int pidfd, int signal, const void* info = nullptr, unsigned flags = 0) {
  ::syscall(SYS_pidfd_send_signal, pidfd, signal, info, flags);
}
void wait_for(int kind, int pidfd) { ::syscall(SYS_waitid, kind, pidfd, nullptr, WEXITED, nullptr); }

}  // namespace

TEST_CASE("executor's filters: what each needs is let through, and on no other descriptor") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  msghdr message{};
  for (const auto& variant : kVariants) {
    INFO(variant.name);
    const auto check = [&](const std::function<void(int)>& attempt, const std::function<bool(int)>& is_allowed) {
      for (const int fd :
           {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 31, 32, 64, 127, 128, 199, 255, 256})
        CHECK_MESSAGE((under(*variant.filter, [&] { attempt(fd); }) == End::lived) == is_allowed(fd), fd);
    };
    const bool has_worker = variant.has_caller_worker;
    check([&](int fd) { ::recvmsg(fd, &message, 0); },
          [&](int fd) { return fd == kFront || fd == kRecorder || (fd == kCallerWorker && has_worker); });
    check([&](int fd) { ::sendmsg(fd, &message, 0); },
          [&](int fd) {
            return fd == kFront || fd == kRecorder || fd == kAnnouncer || (fd == kCallerWorker && has_worker);
          });
    const auto is_rtnetlink = [&](int fd) {
      return has(variant.rtnetlink, fd) || (variant.filter == &filters::kNativeSession && fd >= kTun && fd < kForeign);
    };
    check([&](int fd) { ::sendto(fd, &byte, 1, 0, nullptr, 0); }, is_rtnetlink);
    check([&](int fd) { ::recvfrom(fd, &byte, 1, 0, nullptr, nullptr); },
          [&](int fd) { return is_rtnetlink(fd) || has(variant.only_listen, fd); });
    const int last_tun = variant.tuns.back();
    for (const auto request : kTunRequests) {
      for (const int tun : variant.tuns)
        CHECK(under(*variant.filter, [&] { ::ioctl(tun, request, nullptr); }) == End::lived);
      for (const int other : {0, kFront, kRecorder, kRtnetlink, kPeerWatch, last_tun + 1})
        CHECK_MESSAGE(under(*variant.filter, [&] { ::ioctl(other, request, nullptr); }) == End::killed, other);
    }
    CHECK(under(*variant.filter, [] {
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          }) == End::lived);
  }
}

TEST_CASE("executor's filters: each waits for its own processes and ends two of them, by their pidfds") {
  if (skip_without_seccomp()) return;
  for (const auto& variant : kVariants) {
    INFO(variant.name);
    const bool has_relay = variant.filter == &filters::kController;
    for (const int pidfd : {kFrontPidfd, kRecorderPidfd, kRelayPidfd, kFront, kTun, 1}) {
      const bool waits = pidfd == kFrontPidfd || pidfd == kRecorderPidfd || (pidfd == kRelayPidfd && has_relay);
      const bool ends = pidfd == kFrontPidfd || (pidfd == kRelayPidfd && has_relay);
      CHECK_MESSAGE((under(*variant.filter, [&] { wait_for(kPidfdKind, pidfd); }) == End::lived) == waits, pidfd);
      CHECK_MESSAGE((under(*variant.filter, [&] { end(pidfd, SIGKILL); }) == End::lived) == ends, pidfd);
      for (const int kind : {P_ALL, P_PID, P_PGID})
        CHECK_MESSAGE(under(*variant.filter, [&] { wait_for(kind, pidfd); }) == End::killed, pidfd);
      siginfo_t forged{};
      CHECK_MESSAGE(under(*variant.filter, [&] { end(pidfd, SIGTERM); }) == End::killed, pidfd);
      CHECK_MESSAGE(under(*variant.filter, [&] { end(pidfd, SIGKILL, &forged); }) == End::killed, pidfd);
      CHECK_MESSAGE(under(*variant.filter, [&] { end(pidfd, SIGKILL, nullptr, 4); }) == End::killed, pidfd);
    }
  }
}

TEST_CASE("executor's filters: a session of the native protocol moves descriptors up, and asks about namespaces") {
  if (skip_without_seccomp()) return;
  const auto& session = filters::kNativeSession;
  CHECK(under(session, [] { ::fcntl(kTun, F_DUPFD_CLOEXEC, kForeign); }) == End::lived);
  for (const int number : {0, kFront, kTun, kForeign - 1, kForeign + 1})
    CHECK_MESSAGE(under(session, [&] { ::fcntl(kTun, F_DUPFD_CLOEXEC, number); }) == End::killed, number);
  for (const int command : {F_DUPFD, F_GETFL, F_SETFL, F_OFD_SETLK})
    CHECK_MESSAGE(under(session, [&] { ::fcntl(kTun, command, kForeign); }) == End::killed, command);
  for (const auto request : {NS_GET_NSTYPE, NS_GET_USERNS, NS_GET_OWNER_UID}) {
    CHECK(under(session, [&] { ::ioctl(kOther, request, nullptr); }) == End::lived);
    for (const auto* single : {&filters::kOneShot, &filters::kOneShotOpen, &filters::kController})
      CHECK(under(*single, [&] { ::ioctl(kTun, request, nullptr); }) == End::killed);
  }
  pollfd waited[5] = {};
  for (const auto& variant : kVariants)
    for (const unsigned number : {0U, 1U, 2U, 3U, 4U, 5U}) {
      const bool is_allowed = (variant.filter == &filters::kController && number == kPolledByController) ||
                              (variant.filter == &session && number == kPolledBySession);
      CHECK_MESSAGE((under(*variant.filter, [&] { ::poll(waited, number, 0); }) == End::lived) == is_allowed, number);
    }
}

TEST_CASE("executor's filters: anything else kills the process") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  rlimit limit{};
  const std::pair<const char*, std::function<void()>> attempts[] = {
      {"write to another fd", [&] { ::write(kOther, &byte, 1); }},
      {"write on stderr", [&] { ::write(STDERR_FILENO, &byte, 0); }},
      {"send on a channel", [&] { ::sendto(kFront, &byte, 1, 0, nullptr, 0); }},
      {"write to a channel", [&] { ::write(kRecorder, &byte, 1); }},
      {"cutting a file", [] { ::ftruncate(kOther, 0); }},
      {"duplicating", [] { ::fcntl(kOther, F_DUPFD, 0); }},
      {"duplicating to a number", [] { ::dup3(kOther, kRtnetlink, 0); }},
      {"writing at a place of a file", [&] { ::pwrite(kOther, &byte, 1, 0); }},
      {"setting a limit", [&] { ::setrlimit(RLIMIT_FSIZE, &limit); }},
      {"asking for a limit", [&] { ::getrlimit(RLIMIT_NOFILE, &limit); }},
      {"a tun ioctl on another fd", [] { ::ioctl(kForeign, TUNSETIFF, nullptr); }},
      {"another ioctl on the tun fd", [] { ::ioctl(kTun, TUNSETLINK, 1); }},
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
      {"wait4", [] { ::syscall(SYS_wait4, -1, nullptr, 0, nullptr); }},
      {"a pidfd of another process", [] { ::syscall(SYS_pidfd_open, 1, 0); }},
      {"another process's descriptor", [] { ::syscall(SYS_pidfd_getfd, kFrontPidfd, 1, 0); }},
      {"unshare", [] { ::syscall(SYS_unshare, 0); }},
      {"io_uring", [] { ::syscall(SYS_io_uring_setup, 1, nullptr); }},
#ifdef __x86_64__
      {"the 32-bit table", [] { asm volatile("int $0x80" ::"a"(20)); }},
#endif
  };
  for (const auto& variant : kVariants)
    for (const auto& [name, attempt] : attempts)
      CHECK_MESSAGE(under(*variant.filter, attempt) == End::killed, variant.name << ": " << name);
}
