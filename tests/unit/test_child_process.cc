// Children known by their pidfds.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tests/unit/qemu_user.h"
#include "uml_net/sys/child_process.h"

using namespace umlnet;

namespace {

constexpr int kNumber = 50;

pid_t child_that_waits() {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  return child;
}

bool is_reaped(pid_t child) { return ::waitpid(child, nullptr, WNOHANG) < 0 && errno == ECHILD; }

}  // namespace

TEST_CASE("child process: the exit status of one that ends by itself") {
  if (skip_without_seccomp()) return;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(7);
  const auto pidfd = pidfd_of(child, kNumber);
  REQUIRE(pidfd);
  CHECK(pidfd->get() == kNumber);
  CHECK(::fcntl(kNumber, F_GETFD) == FD_CLOEXEC);
  CHECK(wait_for_child(pidfd->get()) == 7);
  CHECK(is_reaped(child));
  CHECK(wait_for_child(pidfd->get()) == std::nullopt);
  kill_child(pidfd->get());  // nobody
}

TEST_CASE("child process: one that is killed has no exit status") {
  if (skip_without_seccomp()) return;
  const pid_t child = child_that_waits();
  const auto pidfd = pidfd_of(child, kNumber);
  REQUIRE(pidfd);
  kill_child(pidfd->get());
  CHECK(wait_for_child(pidfd->get()) == std::nullopt);
  CHECK(is_reaped(child));
}

TEST_CASE("child process: where there is no pidfd, there is no child either") {
  if (skip_without_seccomp()) return;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit low{kNumber, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  const pid_t child = child_that_waits();
  const auto pidfd = pidfd_of(child, kNumber);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE_FALSE(pidfd);
  CHECK(pidfd.error().code == Code::kernel);
  CHECK(is_reaped(child));
}
