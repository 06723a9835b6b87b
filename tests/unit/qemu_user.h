// Tests that need what qemu-user does not emulate, and skip under it. It runs the unit tests of another architecture.
// On x86_64 nothing is skipped: the tests run on a real kernel there, and fail where something is missing.
#pragma once

#include <doctest/doctest.h>

#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>

#ifdef __x86_64__
inline constexpr bool kMayBeEmulated = false;
#else
inline constexpr bool kMayBeEmulated = true;
#endif

// For a test that loads a seccomp filter: true where seccomp(2) does not exist.
inline bool skip_without_seccomp() {
  if (!kMayBeEmulated) return false;
  const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 || errno != ENOSYS) return false;
  MESSAGE("skipped: seccomp(2) does not exist here, as under qemu-user");
  return true;
}

// For a test with a process that shares this one's memory, as every watched process has one (watcher.h): true where
// clone(2) refuses CLONE_VM without CLONE_THREAD.
inline bool skip_without_shared_memory() {
  if (!kMayBeEmulated) return false;
  alignas(16) static std::array<char, 16384> stack;
  const int pid = ::clone([](void*) { return 0; }, stack.data() + stack.size(), CLONE_VM | SIGCHLD, nullptr);
  const int error = errno;
  if (pid >= 0) ::waitpid(pid, nullptr, 0);
  if (pid >= 0 || error != EINVAL) return false;
  MESSAGE("skipped: clone(2) refuses CLONE_VM for a process here, as under qemu-user");
  return true;
}
