// Which files the processes of a session can look at, as the kernel sees it: a child enters the filter and tries one.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "libumlnet/core/look_at_fd.h"
#include "policy/location.h"
#include "tests/unit/in_a_child.h"
#include "tests/unit/qemu_user.h"
#include "uml_net/priv/request_filter.h"
#include "uml_net/recorder/policy_reader.h"
#include "uml_net/recorder/recorder.h"

using namespace umlnet;

namespace {

constexpr int kChannel = 100;

SeccompFilter session_filter() {
  return priv::request_filter({.tuns = {},
                               .rtnetlink = kChannel,
                               .front = kChannel,
                               .front_pid = 4711,
                               .recorder = kChannel,
                               .recorder_pid = 4713,
                               .native_session = true});
}

SeccompFilter filter_of_recorder(bool opens_tun) {
  return recorder_filter({.channel = kChannel, .log = kChannel, .locks = kChannel}, opens_tun, true);
}

End under(const SeccompFilter& filter, const std::function<void()>& attempt) {
  return in_a_child([&] { return filter.enter().has_value(); }, attempt);
}

void look(const char* path, int flags) {
  struct stat status{};
  ::syscall(SYS_newfstatat, AT_FDCWD, path, &status, flags);
}

}  // namespace

TEST_CASE("paths of a session: it looks at descriptors") {
  if (skip_without_seccomp()) return;
  struct stat status{};
  for (const auto& filter : {session_filter(), filter_of_recorder(true)})
    CHECK(under(filter, [&] { look_at_fd(STDIN_FILENO, status); }) == End::lived);
}

TEST_CASE("paths of a session: no process of it looks at a file by its name, by whatever flags") {
  if (skip_without_seccomp()) return;
  for (const auto& filter : {session_filter(), filter_of_recorder(true)})
    for (const int flags : {0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW})
      for (const char* path : {"/etc/shadow", policy::kAuditLog, ""})
        CHECK_MESSAGE(under(filter, [&] { look(path, flags); }) == End::killed, std::string(path) << " " << flags);
}

TEST_CASE("paths of a session: what opens its files knows no other path, and a path by its place in memory alone") {
  if (skip_without_seccomp()) return;
  // In memory of their own: equal words of a program may be one.
  const std::string paths[] = {"/etc/shadow", "/dev/net/tun", kPolicyDirectories[0], policy::kPolicyFile,
                               policy::kAuditLog};
  for (const bool opens_tun : {true, false}) {
    const auto filter = filter_of_recorder(opens_tun);
    CHECK(under(filter, [] { [[maybe_unused]] const bool same = is_policy({}); }) == End::lived);
    for (const auto& path : paths) {
      for (const int flags : {O_RDONLY, O_RDWR | O_CLOEXEC, O_RDONLY | O_DIRECTORY | O_CLOEXEC, O_PATH | O_CLOEXEC,
                              O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC})
        CHECK_MESSAGE(under(filter, [&] { ::open(path.c_str(), flags); }) == End::killed, path << " " << flags);
      CHECK_MESSAGE(under(filter, [&] { ::chdir(path.c_str()); }) == End::killed, path);
    }
    for (const int flags : {O_RDWR, O_WRONLY, O_PATH, O_RDONLY | O_DIRECTORY | O_CLOEXEC})
      CHECK_MESSAGE(under(filter, [&] { ::open(kPolicyDirectories[0], flags); }) == End::killed, flags);
  }
}

TEST_CASE("paths of a session: how the policy is opened is pinned, and where it begins") {
  if (skip_without_seccomp()) return;
  const auto filter = filter_of_recorder(true);
  // As the recorder does it, but in memory that can be written.
  const open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                        .mode = 0,
                        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  for (const char* path : {"policy.json", "/etc/shadow", kPolicyDirectories[0]})
    for (const int at : {AT_FDCWD, kChannel})
      CHECK_MESSAGE(under(filter, [&] { ::syscall(SYS_openat2, at, path, &how, sizeof how); }) == End::killed, path);
  CHECK(under(filter, [] { ::fchdir(kChannel); }) == End::killed);
#ifndef UMLNET_SANITIZED
  CHECK(under(filter, [] { ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }) == End::killed);
#endif
  CHECK(under(filter, [] { ::mprotect(const_cast<char*>(kPolicyDirectories[0]), 1, PROT_WRITE); }) == End::killed);
}
