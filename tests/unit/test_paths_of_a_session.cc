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
#include <utility>

#include "libumlnet/core/look_at_fd.h"
#include "policy/location.h"
#include "tests/unit/in_a_child.h"
#include "tests/unit/qemu_user.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/filters.h"
#include "uml_net/recorder/pinned.h"
#include "uml_net/recorder/policy_reader.h"

using namespace umlnet;

namespace {

using Enter = std::function<Result<void>()>;

const Enter kSession = [] { return filters::enter(filters::kNativeSession); };

Enter recorder(bool opens_tun) {
  return [opens_tun] {
    return enter_recorder_filter(
        {.opens_tun = opens_tun, .reads_policy = true, .has_counters = true, .has_journal = true});
  };
}

End under(const Enter& enter, const std::function<void()>& attempt) {
  return in_a_child([&] { return enter().has_value(); }, attempt);
}

void look(const char* path, int flags) {
  struct stat status{};
  ::syscall(SYS_newfstatat, AT_FDCWD, path, &status, flags);
}

}  // namespace

TEST_CASE("paths of a session: it looks at descriptors") {
  if (skip_without_seccomp()) return;
  struct stat status{};
  for (const auto& filter : {kSession, recorder(true)})
    CHECK(under(filter, [&] { look_at_fd(STDIN_FILENO, status); }) == End::lived);
}

TEST_CASE("paths of a session: no process of it looks at a file by its name, by whatever flags") {
  if (skip_without_seccomp()) return;
  for (const auto& filter : {kSession, recorder(true)})
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
    const auto filter = recorder(opens_tun);
    CHECK(under(filter, [] { [[maybe_unused]] const bool same = is_policy({}); }) == End::lived);
    for (const auto& path : paths) {
      for (const int flags : {O_RDONLY, O_RDWR | O_CLOEXEC, O_RDONLY | O_DIRECTORY | O_CLOEXEC, O_PATH | O_CLOEXEC,
                              O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC})
        CHECK_MESSAGE(under(filter, [&] { ::open(path.c_str(), flags); }) == End::killed, path << " " << flags);
      for (const auto* how : {&kPinned.tun_how, &kPinned.log_how, &kPinned.root_how, &kPinned.directory_how})
        CHECK_MESSAGE(under(filter, [&] { open_pinned(path.c_str(), *how); }) == End::killed, path);
      CHECK_MESSAGE(under(filter, [&] { ::chdir(path.c_str()); }) == End::killed, path);
    }
    for (const int flags : {O_RDWR, O_WRONLY, O_PATH, O_RDONLY | O_DIRECTORY | O_CLOEXEC})
      CHECK_MESSAGE(under(filter, [&] { ::open(kPolicyDirectories[0], flags); }) == End::killed, flags);
  }
}

TEST_CASE("paths of a session: how the policy is opened is pinned, and where it begins") {
  if (skip_without_seccomp()) return;
  const auto filter = recorder(true);
  // As the recorder does it, but in memory that can be written.
  const open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                        .mode = 0,
                        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  REQUIRE((how.flags == kPinned.file_how.flags && how.resolve == kPinned.file_how.resolve));
  for (const char* path : {"policy.json", "/etc/shadow", kPolicyDirectories[0]})
    for (const int at : {AT_FDCWD, fd_number::kLog})
      CHECK_MESSAGE(under(filter, [&] { ::syscall(SYS_openat2, at, path, &how, sizeof how); }) == End::killed, path);
  for (const auto& [path, pinned] :
       {std::pair(kPinned.log.get(), &kPinned.log_how), std::pair(kPinned.tun.get(), &kPinned.tun_how),
        std::pair(kPinned.policy_root.get(), &kPinned.root_how)}) {
    const open_how copy = *pinned;
    CHECK_MESSAGE(under(filter, [&] { open_pinned(path, *pinned); }) == End::lived, path);
    CHECK_MESSAGE(under(filter, [&] { open_pinned(path, copy); }) == End::killed, path);
  }
  CHECK(under(filter, [] { ::fchdir(fd_number::kLog); }) == End::killed);
#ifndef UMLNET_SANITIZED
  CHECK(under(filter, [] { ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }) == End::killed);
#endif
  CHECK(under(filter, [] { ::mprotect(const_cast<char*>(kPolicyDirectories[0]), 1, PROT_WRITE); }) == End::killed);
}
