// The recorder's filters as the kernel sees them: a child enters one and tries one thing.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "tests/unit/in_a_child.h"
#include "tests/unit/qemu_user.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/recorder/pinned.h"

using namespace umlnet;
using namespace umlnet::fd_number;

namespace {

constexpr int kOther = 100, kTunFd = 101;
constexpr RecorderPowers kAll{.opens_tun = false, .reads_policy = true, .has_counters = true, .has_journal = true};

// The child has /dev/null at all of the numbers: what matters here is whether the kernel lets the call begin.
End in_the_recorder(const std::function<void()>& attempt, const RecorderPowers& powers = kAll) {
  return in_a_child(
      [&] {
        const int null = ::open("/dev/null", O_RDWR);
        for (const int fd : {kWorkerChannel, kLog, kCounters, kJournal, kOther, kTunFd}) ::dup2(null, fd);
        return enter_recorder_filter(powers).has_value();
      },
      attempt);
}

RecorderPowers with(bool RecorderPowers::* power, bool value) {
  RecorderPowers powers = kAll;
  powers.*power = value;
  return powers;
}

}  // namespace

TEST_CASE("recorder's filter: what it needs is let through") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  msghdr message{};
  struct flock lock{};
  rlimit limit{};
  CHECK(in_the_recorder([&] { ::sendmsg(kWorkerChannel, &message, 0); }) == End::lived);
  CHECK(in_the_recorder([&] { ::recvmsg(kWorkerChannel, &message, 0); }) == End::lived);
  CHECK(in_the_recorder([&] { ::write(kLog, &byte, 1); }) == End::lived);
  CHECK(in_the_recorder([&] { ::pread(kLog, &byte, 1, 0); }) == End::lived);
  CHECK(in_the_recorder([&] { ::fcntl(kCounters, F_OFD_SETLK, &lock); }) == End::lived);
  CHECK(in_the_recorder([&] { ::fcntl(kLog, F_OFD_SETLK, &lock); }) == End::killed);
  const auto without_counters = with(&RecorderPowers::has_counters, false);
  CHECK(in_the_recorder([&] { ::fcntl(kLog, F_OFD_SETLK, &lock); }, without_counters) == End::lived);
  CHECK(in_the_recorder([&] { ::fcntl(kCounters, F_OFD_SETLK, &lock); }, without_counters) == End::killed);
  CHECK(in_the_recorder([] { ::poll(nullptr, 0, 1); }) == End::lived);
  CHECK(in_the_recorder([&] { ::getrlimit(RLIMIT_FSIZE, &limit); }) == End::lived);
  CHECK(in_the_recorder([&] { ::send(kJournal, &byte, 1, 0); }) == End::lived);
  CHECK(in_the_recorder([&] { ::send(kJournal, &byte, 1, 0); }, with(&RecorderPowers::has_journal, false)) ==
        End::killed);
  CHECK(in_the_recorder([] { open_pinned(kPinned.log.get(), kPinned.log_how); }) == End::lived);
  CHECK(in_the_recorder([] { ::dup3(kOther, kLog, O_CLOEXEC); }) == End::lived);
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
      {"ioctl", [] { ::ioctl(kTunFd, TUNSETIFF, nullptr); }},
      {"socket", [] { ::socket(AF_NETLINK, SOCK_RAW, 0); }},
      {"unlink", [] { ::unlink(kPinned.log.get()); }},
      {"capset", [] { ::syscall(SYS_capset, nullptr, nullptr); }},
      {"setuid", [] { ::syscall(SYS_setuid, 0); }},
      {"clone", [] { ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
      {"execve", [] { ::execl("/bin/true", "true", nullptr); }},
      {"kill", [] { ::kill(1, 0); }},
  };
  for (const auto& [name, attempt] : attempts) CHECK_MESSAGE(in_the_recorder(attempt) == End::killed, name);
}

TEST_CASE("recorder's filter: each path is opened in its own way, where the recorder has that power") {
  if (skip_without_seccomp()) return;
  const auto opens = [](const char* path, const open_how& how, const RecorderPowers& powers) {
    return in_the_recorder([&] { open_pinned(path, how); }, powers) == End::lived;
  };
  const std::pair<const char*, const open_how*> ways[] = {{kPinned.log.get(), &kPinned.log_how},
                                                          {kPinned.tun.get(), &kPinned.tun_how},
                                                          {kPinned.policy_root.get(), &kPinned.root_how},
                                                          {kPinned.policy_directory.get(), &kPinned.directory_how}};
  auto with_tun = with(&RecorderPowers::opens_tun, true);
  auto without_policy = with(&RecorderPowers::reads_policy, false);
  for (const auto& powers : {kAll, with_tun, without_policy})
    for (std::size_t path = 0; path < std::size(ways); ++path)
      for (std::size_t how = 0; how < std::size(ways); ++how) {
        const bool is_there = path == 0 || (path == 1 ? powers.opens_tun : powers.reads_policy);
        CHECK_MESSAGE(opens(ways[path].first, *ways[how].second, powers) == (is_there && path == how),
                      ways[path].first << " " << how);
      }
  CHECK(opens("policy.json", kPinned.file_how, kAll));
  CHECK_FALSE(opens("policy.json", kPinned.file_how, without_policy));
  CHECK(in_the_recorder([] { ::chdir(kPinned.policy_root.get()); }) == End::lived);
  CHECK(in_the_recorder([] { ::chdir(kPinned.policy_root.get()); }, without_policy) == End::killed);
  CHECK(in_the_recorder([] { ::chdir(kPinned.log.get()); }) == End::killed);
  with_tun.reads_policy = false;  // no policy and no /dev/net
  CHECK_FALSE(opens(kPinned.tun.get(), kPinned.tun_how, with_tun));
}

TEST_CASE("recorder's filter: the addresses of what it may open share their upper half") {
  const auto upper = [](const void* address) { return reinterpret_cast<std::uintptr_t>(address) >> 32; };
  CHECK(upper(&kPinned) == upper(reinterpret_cast<const char*>(&kPinned + 1) - 1));
}
