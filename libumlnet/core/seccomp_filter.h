// A seccomp filter in verbs: what is allowed; anything else kills the process, or traps. The program for the kernel is
// put together here and not by libseccomp, which takes as long for one filter as the kernel takes for a device; the
// tests hold it to what libseccomp makes of the same verbs.
#pragma once

#include <linux/filter.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "libumlnet/core/error.h"

namespace umlnet {

enum class FilteredThreads : std::uint8_t { calling, all };

// Puts the calling thread, and all that it starts, under the filter for good; or all threads of the process at once
// (SECCOMP_FILTER_FLAG_TSYNC), or none. Sets no_new_privs. Allocates no memory. Needs no privilege. Code::kernel where
// the kernel refuses.
Result<void> enter_seccomp_filter(std::span<const sock_filter> program,
                                  FilteredThreads threads = FilteredThreads::calling);

class SeccompFilter {
 public:
  // One condition on an argument of a system call: (argument & mask) == value.
  struct ArgMatch {
    unsigned argument = 0;
    std::uint64_t mask = 0;
    std::uint64_t value = 0;
    static ArgMatch equals(unsigned argument, std::uint64_t value) { return {argument, ~std::uint64_t{0}, value}; }
    // Of an argument that the kernel takes as an int or an unsigned int, and of which it passes over the upper half: a
    // descriptor, a number of descriptors, the request to a device, the command of fcntl(2), a process id, flags.
    static ArgMatch equals_int(unsigned argument, std::uint32_t value) { return {argument, UINT32_MAX, value}; }
    static ArgMatch has_none_of(unsigned argument, std::uint64_t bits) { return {argument, bits, 0}; }
  };
  // One way in which a system call is allowed: where all of the conditions hold.
  static constexpr std::size_t kMostConditions = 3;
  struct Rule {
    int syscall = -1;
    std::size_t number = 0;  // of conditions
    std::array<ArgMatch, kMostConditions> places = {};
    std::span<const ArgMatch> conditions() const { return std::span(places).first(number); }
  };

  // What becomes of a call that is not allowed. `trap` is a SIGSYS that a handler can look at (SECCOMP_RET_TRAP); where
  // the signal is blocked or has no handler, it kills as well.
  enum class DefaultAction : std::uint8_t { kill_process, trap };
  explicit SeccompFilter(DefaultAction otherwise = DefaultAction::kill_process) : otherwise_(otherwise) {}

  // Allows a system call (SYS_* of sys/syscall.h), with any arguments or where all of the conditions hold,
  // kMostConditions at most (std::length_error). Called again for the same number it allows more.
  SeccompFilter& allow(int syscall, std::initializer_list<ArgMatch> conditions = {});
  SeccompFilter& allow_each(std::span<const int> syscalls);

  // Allows a system call whose first argument is `fd`; passed over where `fd` is negative.
  SeccompFilter& allow_on_fd(int syscall, int fd);

  // Allows the system call that poll() makes here (kSysPoll of system_calls.h), where all of the conditions hold. They
  // are kMostConditions - 1 at most (std::length_error), and about the first two arguments: the pollfds and how many
  // there are (std::invalid_argument). The timeout may be any. Where the call is ppoll(2), it cannot set a signal mask.
  SeccompFilter& allow_poll(std::initializer_list<ArgMatch> conditions = {});

  // A system call that kills the process at once, with any arguments, where others trap.
  SeccompFilter& kill_on(int syscall);

  // enter_seccomp_filter() with program().
  Result<void> enter() const;

  // What the kernel gets: a program that returns one of SECCOMP_RET_* for a seccomp_data.
  std::vector<sock_filter> program() const;

  // What was said to it, for tests.
  DefaultAction otherwise() const { return otherwise_; }
  const std::vector<Rule>& rules() const { return rules_; }
  const std::vector<int>& killing() const { return killing_; }

 private:
  DefaultAction otherwise_;
  std::vector<Rule> rules_;
  std::vector<int> killing_;
};

}  // namespace umlnet
