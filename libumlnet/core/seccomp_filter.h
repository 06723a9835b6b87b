// A seccomp filter in verbs: what is allowed; anything else kills the process. Built with libseccomp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
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

  // Allows a system call (SYS_* of sys/syscall.h), with any arguments or where all of the conditions hold. Called again
  // for the same number it allows more.
  SeccompFilter& allow(int syscall, std::initializer_list<Where> conditions = {});
  SeccompFilter& allow_each(std::span<const int> syscalls);

  // Allows a system call whose first argument is `fd`; passed over where `fd` is negative.
  SeccompFilter& allow_on_fd(int syscall, int fd);

  // Puts the calling thread, and all that it starts, under the filter for good. Sets no_new_privs. A forbidden call, or
  // one by another architecture's table, kills the process with SIGSYS. Needs no privilege.
  Result<void> enter() const;

  // Writes the filter as BPF to `fd`: what the kernel gets, for tests and reviewers.
  Result<void> export_bpf(int fd) const;

 private:
  struct Rule {
    int syscall;
    std::vector<Where> conditions;
  };
  std::vector<Rule> rules_;
};

}  // namespace umlnet
