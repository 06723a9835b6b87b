// A seccomp filter in verbs: what is allowed; anything else kills the process, or traps. Built with libseccomp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "libumlnet/core/error.h"

namespace umlnet {

class SeccompFilter {
 public:
  // One condition on an argument of a system call: (argument & mask) == value.
  struct Where {
    unsigned argument;
    std::uint64_t mask;
    std::uint64_t value;
    static Where equals(unsigned argument, std::uint64_t value) { return {argument, ~std::uint64_t{0}, value}; }
    static Where has_none_of(unsigned argument, std::uint64_t bits) { return {argument, bits, 0}; }
  };

  // What becomes of a call that is not allowed. `trap` is a SIGSYS that a handler can look at (SECCOMP_RET_TRAP); where
  // the signal is blocked or has no handler, it kills as well.
  enum class Otherwise : std::uint8_t { kill_process, trap };
  explicit SeccompFilter(Otherwise otherwise = Otherwise::kill_process) : otherwise_(otherwise) {}

  // Allows a system call (SYS_* of sys/syscall.h), with any arguments or where all of the conditions hold. Called again
  // for the same number it allows more.
  SeccompFilter& allow(int syscall, std::initializer_list<Where> conditions = {});
  SeccompFilter& allow_each(std::span<const int> syscalls);

  // Allows a system call whose first argument is `fd`; passed over where `fd` is negative.
  SeccompFilter& allow_on_fd(int syscall, int fd);

  // A system call that kills the process at once, with any arguments, where others trap.
  SeccompFilter& kill_on(int syscall);

  // Puts the calling thread, and all that it starts, under the filter for good. Sets no_new_privs. A forbidden call
  // kills the process with SIGSYS, or traps; one by another architecture's table kills it in any case. Needs no
  // privilege.
  Result<void> enter() const;

  // Writes the filter as BPF to `fd`: what the kernel gets, for tests and reviewers.
  Result<void> export_bpf(int fd) const;

 private:
  struct Rule {
    int syscall;
    std::vector<Where> conditions;
  };
  Otherwise otherwise_;
  std::vector<Rule> rules_;
  std::vector<int> killing_;
};

// The name of a system call as a SIGSYS reports it: `arch` is siginfo's si_arch, `number` its si_syscall. "system call
// 4711" where there is no such number.
std::string syscall_name(std::uint32_t arch, int number);

}  // namespace umlnet
