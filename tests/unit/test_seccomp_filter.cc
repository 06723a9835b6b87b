// The program of every filter against the one that libseccomp makes of the same verbs, call by call.
#include <doctest/doctest.h>

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>

#include "libumlnet/core/seccomp_filter.h"
#include "libumlnet/core/system_calls.h"
#include "tests/unit/seccomp_program.h"
#include "uml_net/priv/request_filter.h"
#include "uml_net/recorder/recorder.h"

using umlnet::SeccompFilter;
using ArgMatch = SeccompFilter::ArgMatch;

namespace {

using umlnet::kAuditArch;
constexpr std::uint32_t kAnotherArch = kAuditArch == AUDIT_ARCH_I386 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_I386;
Program libseccomps(const SeccompFilter& filter) {
  // libseccomp would ask the kernel which actions it knows. This only exports, and qemu-user has no seccomp(2).
  constexpr unsigned kKnowsKillProcess = 3;
  REQUIRE(seccomp_api_set(kKnowsKillProcess) == 0);
  const bool traps = filter.otherwise() == SeccompFilter::DefaultAction::trap;
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> context(
      seccomp_init(traps ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS), seccomp_release);
  REQUIRE(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0);
  for (const auto& rule : filter.rules()) {
    std::vector<scmp_arg_cmp> comparisons;
    for (const auto& where : rule.conditions())
      comparisons.push_back({where.argument, SCMP_CMP_MASKED_EQ, where.mask, where.value});
    // The array form: the variadic one drops what its count does not cover, without a word.
    REQUIRE(seccomp_rule_add_array(context.get(), SCMP_ACT_ALLOW, rule.syscall,
                                   static_cast<unsigned>(comparisons.size()), comparisons.data()) == 0);
  }
  for (const int syscall : filter.killing())
    if (traps) REQUIRE(seccomp_rule_add_array(context.get(), SCMP_ACT_KILL_PROCESS, syscall, 0, nullptr) == 0);
  const int file = ::memfd_create("filter", MFD_CLOEXEC);
  REQUIRE(seccomp_export_bpf(context.get(), file) == 0);
  Program program(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)) / sizeof(sock_filter));
  REQUIRE(::pread(file, program.data(), program.size() * sizeof(sock_filter), 0) > 0);
  ::close(file);
  return program;
}

// Every system call with arguments that a condition speaks of, with their neighbours, and with bits that are too high.
void check(const SeccompFilter& filter) {
  const Program ours = filter.program(), theirs = libseccomps(filter);
  CHECK(ours.size() <= BPF_MAXINSNS);
  std::mt19937_64 random(1);
  std::size_t allowed = 0, compared = 0;
  const auto compare = [&](const seccomp_data& data) {
    const auto is = run(ours, data), should = run(theirs, data);
    ++compared;
    allowed += is == SECCOMP_RET_ALLOW;
    if (is != should)
      FAIL_CHECK("system call " << data.nr << " of " << data.arch << " with " << data.args[0] << ", " << data.args[1]
                                << ", " << data.args[2] << ": " << is << " instead of " << should);
  };
  std::vector<const SeccompFilter::Rule*> rules;
  std::set<std::uint64_t> values = {0, 1, 3, ~std::uint64_t{0}};
  for (const auto& rule : filter.rules())
    for (const auto& where : rule.conditions()) values.insert({where.value, where.value + 1, where.mask, ~where.mask});
  const std::vector<std::uint64_t> pool(values.begin(), values.end());
  const auto any = [&] { return pool[random() % pool.size()] ^ (random() % 8 == 0 ? std::uint64_t{1} << 32 : 0); };
  for (int number = 0; number < 600; ++number)
    for (const std::uint32_t arch : std::initializer_list<std::uint32_t>{kAuditArch, kAnotherArch, 0})
      compare(
          {.nr = number, .arch = arch, .instruction_pointer = 0, .args = {any(), any(), any(), any(), any(), any()}});
  // Not -1, which a tracer sets to have a call passed over: libseccomp lets it trap, and here it kills.
  for (const int number : {-2, 0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff})
    compare({.nr = number, .arch = kAuditArch, .instruction_pointer = 0, .args = {}});
  for (const auto& rule : filter.rules())
    for (int tries = 0; tries < 500; ++tries) {
      seccomp_data data{.nr = rule.syscall, .arch = kAuditArch, .instruction_pointer = 0, .args = {}};
      for (auto& argument : data.args) argument = any();
      // Most of them as the rule wants them, so that each condition decides now and then.
      for (const auto& where : rule.conditions())
        if (random() % 8 != 0) {
          auto& argument = data.args[where.argument];
          argument = (argument & ~where.mask) | where.value;
        }
      compare(data);
    }
  CHECK(allowed > 0);
  CHECK(allowed < compared);
}

}  // namespace

TEST_CASE("seccomp filter: the filters of the helper are what libseccomp makes of them") {
  check(umlnet::priv::request_filter(
      {.tuns = {3}, .rtnetlink = 5, .front = 1, .front_pid = 4712, .recorder = 4, .recorder_pid = 4713}));
  check(umlnet::priv::request_filter({.tuns = {3},
                                      .rtnetlink = 5,
                                      .front = 1,
                                      .front_pid = 4712,
                                      .recorder = 4,
                                      .recorder_pid = 4713,
                                      .session = umlnet::priv::SessionFds{8, 4711, 9}}));
  check(umlnet::priv::request_filter({.tuns = {3, 4},
                                      .rtnetlink = 5,
                                      .front = 1,
                                      .front_pid = 4712,
                                      .recorder = 6,
                                      .recorder_pid = 4713,
                                      .target_namespace = 8,
                                      .caller_worker = 9}));
  check(umlnet::priv::request_filter({.tuns = {},
                                      .rtnetlink = 5,
                                      .front = 1,
                                      .front_pid = 4712,
                                      .recorder = 6,
                                      .recorder_pid = 4713,
                                      .caller_worker = 9,
                                      .native_session = true}));
  check(umlnet::recorder_filter({.channel = 3, .log = 4, .locks = 5, .journal = 6}, true, true));
  check(umlnet::recorder_filter({.channel = 3, .log = 4, .locks = 4}, false, false));
}

TEST_CASE("seccomp filter: conditions on both halves of an argument, several ways, no rule at all") {
  SeccompFilter filter;
  filter.allow(SYS_read, {ArgMatch::equals(0, 0x1'0000'0005), ArgMatch::has_none_of(1, 0x8000'0000'0000'0001)});
  filter.allow(SYS_read, {ArgMatch{2, 0xff00, 0x1200}});
  filter.allow(SYS_write).allow(SYS_write, {ArgMatch::equals(0, 1)});
  check(filter);

  SeccompFilter traps(SeccompFilter::DefaultAction::trap);
  traps.allow(SYS_read).kill_on(SYS_rt_sigreturn);
  check(traps);

  const seccomp_data read{.nr = SYS_read, .arch = kAuditArch, .instruction_pointer = 0, .args = {}};
  CHECK(run(SeccompFilter().program(), read) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("seccomp filter: poll() may wait for the fds of the conditions, for any time, and cannot set a signal mask") {
  SeccompFilter filter;
  filter.allow_poll({ArgMatch::equals(0, 0), ArgMatch::equals_int(1, 0)}).allow_poll({ArgMatch::equals_int(1, 2)});
  check(filter);
  const auto program = filter.program();
  const auto poll = [&](std::uint64_t fds, std::uint64_t count, std::uint64_t timeout, std::uint64_t mask) {
    return run(program, {.nr = umlnet::kSysPoll,
                         .arch = kAuditArch,
                         .instruction_pointer = 0,
                         .args = {fds, count, timeout, mask, 0, 0}});
  };
  CHECK(poll(0, 0, 1, 0) == SECCOMP_RET_ALLOW);
  CHECK(poll(4096, 0, 1, 0) == SECCOMP_RET_KILL_PROCESS);
  CHECK(poll(4096, 1, 1, 0) == SECCOMP_RET_KILL_PROCESS);
  CHECK(poll(4096, 2, ~std::uint64_t{0}, 0) == SECCOMP_RET_ALLOW);
  CHECK(poll(4096, 2, 8192, 0) == SECCOMP_RET_ALLOW);
  // poll(2) has no fourth argument: whatever the register holds is allowed.
  CHECK(poll(4096, 2, 0, 12288) == (umlnet::kPollIsPpoll ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW));
  if (!umlnet::kPollIsPpoll)
    CHECK(run(program, {.nr = SYS_ppoll, .arch = kAuditArch, .instruction_pointer = 0, .args = {}}) ==
          SECCOMP_RET_KILL_PROCESS);

  CHECK_THROWS_AS(filter.allow_poll({ArgMatch::equals_int(2, 0)}), std::invalid_argument);
  CHECK_THROWS_AS(filter.allow_poll({ArgMatch::equals(0, 0), ArgMatch::equals(0, 0), ArgMatch::equals(1, 0)}),
                  std::length_error);
}

TEST_CASE("seccomp filter: more system calls than a short jump reaches over") {
  SeccompFilter filter;
  for (int number = 0; number < 300; ++number)
    filter.allow(number, {ArgMatch::equals(0, static_cast<std::uint64_t>(number)), ArgMatch::equals(1, 7)});
  check(filter);
}
