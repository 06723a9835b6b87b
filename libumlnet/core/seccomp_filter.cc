#include "libumlnet/core/seccomp_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>

namespace umlnet {
namespace {

using Program = std::vector<sock_filter>;

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
// From here on the numbers are those of the x32 table, under the same architecture.
constexpr std::uint32_t kOtherTable = 0x40000000;  // __X32_SYSCALL_BIT
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_RISCV64;
#else
#error "name this machine's AUDIT_ARCH_* (linux/audit.h) here"
#endif
static_assert(std::endian::native == std::endian::little, "an argument's low half comes first");

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kAnd = BPF_ALU | BPF_AND | BPF_K;
constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kIfAtLeast = BPF_JMP | BPF_JGE | BPF_K;
constexpr std::uint16_t kSkip = BPF_JMP | BPF_JA;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;

sock_filter load(std::size_t offset) { return {kLoad, 0, 0, static_cast<std::uint32_t>(offset)}; }
sock_filter end_with(std::uint32_t action) { return {kReturn, 0, 0, action}; }

void append(Program& program, const Program& more) { program.insert(program.end(), more.begin(), more.end()); }

// `body`, where the comparison holds; behind it otherwise.
Program only_if(const sock_filter& comparison, const Program& body) {
  // Offsets count from the instruction behind the jump; those of comparisons have 8 bits, that of a skip has 32.
  Program program = {comparison};
  if (body.size() <= UINT8_MAX) {
    program[0].jf = static_cast<std::uint8_t>(body.size());
  } else {
    program[0].jt = 1;
    program.push_back({kSkip, 0, 0, static_cast<std::uint32_t>(body.size())});
  }
  append(program, body);
  return program;
}

// `body`, where a half of an argument, cut by `mask`, is `value`.
Program only_where(std::size_t offset, std::uint32_t mask, std::uint32_t value, const Program& body) {
  if (mask == 0 && value == 0) return body;
  Program program = {load(offset)};
  if (mask != UINT32_MAX) program.push_back({kAnd, 0, 0, mask});
  append(program, only_if({kIfEqual, 0, 0, value}, body));
  return program;
}

Program only_where(const SeccompFilter::Where& where, const Program& body) {
  const std::size_t low = offsetof(seccomp_data, args) + where.argument * sizeof(std::uint64_t);
  const std::size_t high = low + sizeof(std::uint32_t);
  const auto half = [](std::uint64_t value, unsigned shift) { return static_cast<std::uint32_t>(value >> shift); };
  return only_where(high, half(where.mask, 32), half(where.value, 32),
                    only_where(low, half(where.mask, 0), half(where.value, 0), body));
}

// What becomes of each system call that has rules, by number. Each ends with a return.
using Cases = std::map<std::uint32_t, Program>;

// Halves and halves again: the kernel runs this for every system call, and when the filter is entered, once for every
// number that there is. The number is in the accumulator, and is lost where a case is entered, which does not come
// back.
Program choose(Cases::const_iterator first, std::size_t count, std::uint32_t otherwise) {
  if (count == 0) return {end_with(otherwise)};
  if (count == 1) {
    Program program = only_if({kIfEqual, 0, 0, first->first}, first->second);
    program.push_back(end_with(otherwise));
    return program;
  }
  const auto middle = std::next(first, static_cast<std::ptrdiff_t>(count / 2));
  Program program = only_if({kIfAtLeast, 0, 0, middle->first}, choose(middle, count - count / 2, otherwise));
  append(program, choose(first, count / 2, otherwise));
  return program;
}

}  // namespace

SeccompFilter& SeccompFilter::allow(int syscall, std::initializer_list<Where> conditions) {
  rules_.push_back({syscall, conditions});
  return *this;
}

SeccompFilter& SeccompFilter::allow_each(std::span<const int> syscalls) {
  for (const int syscall : syscalls) allow(syscall);
  return *this;
}

SeccompFilter& SeccompFilter::allow_on_fd(int syscall, int fd) {
  if (fd >= 0) allow(syscall, {Where::equals(0, static_cast<std::uint64_t>(fd))});
  return *this;
}

SeccompFilter& SeccompFilter::kill_on(int syscall) {
  killing_.push_back(syscall);
  return *this;
}

Program SeccompFilter::program() const {
  const std::uint32_t otherwise = otherwise_ == Otherwise::trap ? SECCOMP_RET_TRAP : SECCOMP_RET_KILL_PROCESS;
  Cases cases;
  for (const auto& rule : rules_) {
    Program way = {end_with(SECCOMP_RET_ALLOW)};
    for (auto where = rule.conditions.rbegin(); where != rule.conditions.rend(); ++where) way = only_where(*where, way);
    append(cases[static_cast<std::uint32_t>(rule.syscall)], way);
  }
  for (auto& [syscall, ways] : cases) ways.push_back(end_with(otherwise));
  for (const int syscall : killing_) cases[static_cast<std::uint32_t>(syscall)] = {end_with(SECCOMP_RET_KILL_PROCESS)};

  Program known = {load(offsetof(seccomp_data, nr))};
#ifdef __x86_64__
  append(known, only_if({kIfAtLeast, 0, 0, kOtherTable}, {end_with(SECCOMP_RET_KILL_PROCESS)}));
#endif
  append(known, choose(cases.begin(), cases.size(), otherwise));
  Program program = {load(offsetof(seccomp_data, arch))};
  append(program, only_if({kIfEqual, 0, 0, kArchitecture}, known));
  program.push_back(end_with(SECCOMP_RET_KILL_PROCESS));
  return program;
}

Result<void> SeccompFilter::enter() const {
  Program instructions = program();
  const sock_fprog whole = {.len = static_cast<unsigned short>(instructions.size()), .filter = instructions.data()};
  if (instructions.size() > BPF_MAXINSNS)
    return fail(Code::bug, "the seccomp filter has " + std::to_string(instructions.size()) +
                               " instructions, and the kernel takes " + std::to_string(BPF_MAXINSNS));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &whole) != 0)
    return fail_errno(Code::kernel, errno, "cannot enter the seccomp filter",
                      "The kernel must be built with CONFIG_SECCOMP_FILTER.");
  return {};
}

}  // namespace umlnet
