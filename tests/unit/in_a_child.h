// A seccomp filter as the kernel holds it: a child enters it for good, and tries one thing.
#pragma once

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

enum class End { lived, killed };

// How a child ends that calls `enter`, which returns whether it could, and then `attempt`. Killed is by SIGSYS.
inline End in_a_child(const std::function<bool()>& enter, const std::function<void()>& attempt) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGSYS, SIG_DFL);  // doctest catches it
    if (!enter()) ::_exit(2);
    attempt();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) {
    CHECK(WTERMSIG(status) == SIGSYS);
    return End::killed;
  }
  REQUIRE(WEXITSTATUS(status) == 0);
  return End::lived;
}
