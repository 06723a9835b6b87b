#include "libumlnet/core/seccomp_filter.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>

#include "libumlnet/core/system_calls.h"

namespace umlnet {
namespace {

using Program = std::vector<sock_filter>;

#ifdef __x86_64__
// From here on the numbers are those of the x32 table, under the same architecture.
constexpr std::uint32_t kOtherTable = 0x40000000;  // __X32_SYSCALL_BIT
#endif
static_assert(std::endian::native == std::endian::little, "an argument's low half comes first");

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kAnd = BPF_ALU | BPF_AND | BPF_K;
constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kIfAtLeast = BPF_JMP | BPF_JGE | BPF_K;
constexpr std::uint16_t kJump = BPF_JMP | BPF_JA;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;

// Puts a program together from its end: jumps go forward, so that the place where one goes stands already.
class Assembler {
 public:
  using Place = std::size_t;  // the number of instructions from there to the end

  Place here() const { return reversed_.size(); }

  Place end_with(std::uint32_t action) {
    auto known = std::ranges::find(ends_, action, &std::pair<std::uint32_t, Place>::first);
    if (known == ends_.end()) known = ends_.insert(known, {action, 0});
    if (known->second == 0 || distance(known->second) > kFarthest) known->second = put({kReturn, 0, 0, action});
    return known->second;
  }

  // Goes on with what was put last.
  Place load(std::size_t offset) { return put({kLoad, 0, 0, static_cast<std::uint32_t>(offset)}); }
  Place mask_with(std::uint32_t mask) { return put({kAnd, 0, 0, mask}); }

  Place compare(std::uint16_t comparison, std::uint32_t value, Place yes, Place no) {
    if (distance(yes) >= kFarthest) yes = go_to(yes);
    if (distance(no) > kFarthest) no = go_to(no);
    return put({comparison, static_cast<std::uint8_t>(distance(yes)), static_cast<std::uint8_t>(distance(no)), value});
  }

  Program take() {
    std::ranges::reverse(reversed_);
    return std::move(reversed_);
  }

 private:
  static constexpr std::size_t kFarthest = UINT8_MAX;  // of a comparison's jump; that of a mere jump has 32 bits

  // What a jump in the next instruction would count.
  std::size_t distance(Place place) const { return reversed_.size() - place; }
  Place go_to(Place place) { return put({kJump, 0, 0, static_cast<std::uint32_t>(distance(place))}); }
  Place put(const sock_filter& instruction) {
    reversed_.push_back(instruction);
    return reversed_.size();
  }

  Program reversed_;
  std::vector<std::pair<std::uint32_t, Place>> ends_;
};
using Place = Assembler::Place;

// The comparison of a half of an argument, or of what `mask` leaves of it.
struct Half {
  std::size_t offset;  // in seccomp_data
  std::uint32_t mask;
  std::uint32_t value;

  bool is_whole() const { return mask == UINT32_MAX; }
  bool operator==(const Half&) const = default;
};

// Of all conditions of one way, in their order.
class Halves {
 public:
  explicit Halves(const SeccompFilter::Rule& way) {
    for (const auto& where : way.conditions()) {
      const std::size_t low = offsetof(seccomp_data, args) + where.argument * sizeof(std::uint64_t);
      for (const auto& [offset, shift] : {std::pair(low + sizeof(std::uint32_t), 32U), std::pair(low, 0U)}) {
        const Half half{offset, static_cast<std::uint32_t>(where.mask >> shift),
                        static_cast<std::uint32_t>(where.value >> shift)};
        if (half.mask != 0 || half.value != 0) places_[number_++] = half;
      }
    }
  }
  std::span<const Half> all() const { return std::span(places_).first(number_); }

 private:
  std::array<Half, 2 * SeccompFilter::kMostConditions> places_ = {};
  std::size_t number_ = 0;
};

// What becomes of one system call: the ways in which it is allowed, or none where it kills.
struct Case {
  std::uint32_t syscall;
  std::span<const SeccompFilter::Rule* const> ways;
};

Place decide(Assembler& assembler, const Case& one, std::uint32_t otherwise) {
  if (one.ways.empty()) return assembler.end_with(SECCOMP_RET_KILL_PROCESS);
  const Place allowed = assembler.end_with(SECCOMP_RET_ALLOW);
  // The next way to try; and where it begins with a half that the way before has loaded already, the place behind that.
  Place next = assembler.end_with(otherwise), next_loaded = next;
  std::optional<std::size_t> loads;
  for (const auto* way : one.ways | std::views::reverse) {
    const Halves of_way(*way);
    const auto halves = of_way.all();
    Place place = allowed, loaded = allowed;
    for (auto half = halves.rbegin(); half != halves.rend(); ++half) {
      const bool stands = half + 1 == halves.rend() && half->is_whole() && loads == half->offset;
      loaded = assembler.compare(kIfEqual, half->value, place, stands ? next_loaded : next);
      if (!half->is_whole()) assembler.mask_with(half->mask);
      place = assembler.load(half->offset);
    }
    next = place;
    next_loaded = loaded;
    loads = !halves.empty() && halves.front().is_whole() ? std::optional(halves.front().offset) : std::nullopt;
  }
  return next;
}

// Halves and halves again: the kernel runs this for every system call, and when the filter is entered, once for every
// number that there is. The number stands in the accumulator, and is lost where a case begins, which does not come
// back.
Place choose(Assembler& assembler, std::span<const Case> cases, std::uint32_t otherwise) {
  if (cases.empty()) return assembler.end_with(otherwise);
  if (cases.size() == 1) {
    const Place place = decide(assembler, cases[0], otherwise);
    return assembler.compare(kIfEqual, cases[0].syscall, place, assembler.end_with(otherwise));
  }
  const std::size_t half = cases.size() / 2;
  const Place above = choose(assembler, cases.subspan(half), otherwise);
  const Place below = choose(assembler, cases.first(half), otherwise);
  return assembler.compare(kIfAtLeast, cases[half].syscall, above, below);
}

// By number, and those of one number in the order in which they were said.
std::vector<const SeccompFilter::Rule*> sorted(const std::vector<SeccompFilter::Rule>& rules) {
  std::vector<const SeccompFilter::Rule*> sorted;
  sorted.reserve(rules.size());
  for (const auto& rule : rules) sorted.push_back(&rule);
  std::ranges::sort(sorted, {}, [](const auto* rule) { return std::pair(rule->syscall, rule); });
  return sorted;
}

// `ways` must stay.
std::vector<Case> cases_of(std::span<const SeccompFilter::Rule* const> ways, const std::vector<int>& killing) {
  std::vector<Case> cases;
  cases.reserve(ways.size() + killing.size());
  for (const int syscall : killing) cases.push_back({static_cast<std::uint32_t>(syscall), {}});
  while (!ways.empty()) {
    const int syscall = ways.front()->syscall;
    const auto end = std::ranges::find_if(ways, [&](const auto* way) { return way->syscall != syscall; });
    const auto number = static_cast<std::size_t>(end - ways.begin());
    if (std::ranges::find(killing, syscall) == killing.end())
      cases.push_back({static_cast<std::uint32_t>(syscall), ways.first(number)});
    ways = ways.subspan(number);
  }
  std::ranges::sort(cases, {}, &Case::syscall);
  return cases;
}

}  // namespace

SeccompFilter& SeccompFilter::allow(int syscall, std::initializer_list<ArgMatch> conditions) {
  if (conditions.size() > kMostConditions) throw std::length_error("too many conditions for a seccomp filter");
  Rule& rule = rules_.emplace_back();
  rule.syscall = syscall;
  rule.number = conditions.size();
  std::ranges::copy(conditions, rule.places.begin());
  return *this;
}

SeccompFilter& SeccompFilter::allow_each(std::span<const int> syscalls) {
  for (const int syscall : syscalls) allow(syscall);
  return *this;
}

SeccompFilter& SeccompFilter::allow_on_fd(int syscall, int fd) {
  if (fd >= 0) allow(syscall, {ArgMatch::equals_int(0, static_cast<std::uint32_t>(fd))});
  return *this;
}

SeccompFilter& SeccompFilter::allow_poll(std::initializer_list<ArgMatch> conditions) {
  if (conditions.size() >= kMostConditions) throw std::length_error("too many conditions for poll()");
  if (std::ranges::any_of(conditions, [](const ArgMatch& where) { return where.argument > 1; }))
    throw std::invalid_argument("a condition on an argument that poll(2) and ppoll(2) do not share");
  allow(kSysPoll, conditions);
  if (kPollIsPpoll) {
    Rule& rule = rules_.back();
    rule.places[rule.number++] = ArgMatch::equals(3, 0);  // the signal mask stays
  }
  return *this;
}

SeccompFilter& SeccompFilter::kill_on(int syscall) {
  killing_.push_back(syscall);
  return *this;
}

Program SeccompFilter::program() const {
  const std::uint32_t otherwise = otherwise_ == DefaultAction::trap ? SECCOMP_RET_TRAP : SECCOMP_RET_KILL_PROCESS;
  const auto ways = sorted(rules_);
  const auto cases = cases_of(ways, killing_);
  Assembler assembler;
  const Place kill = assembler.end_with(SECCOMP_RET_KILL_PROCESS);
  Place known = choose(assembler, cases, otherwise);
#ifdef __x86_64__
  known = assembler.compare(kIfAtLeast, kOtherTable, assembler.end_with(SECCOMP_RET_KILL_PROCESS), known);
#endif
  known = assembler.load(offsetof(seccomp_data, nr));
  assembler.compare(kIfEqual, kAuditArch, known, kill);
  assembler.load(offsetof(seccomp_data, arch));
  return assembler.take();
}

Result<void> SeccompFilter::enter() const {
  const Program instructions = program();
  if (instructions.size() > BPF_MAXINSNS)
    return fail(Code::bug, "the seccomp filter has " + std::to_string(instructions.size()) +
                               " instructions, and the kernel takes " + std::to_string(BPF_MAXINSNS));
  return enter_seccomp_filter(instructions);
}

Result<void> enter_seccomp_filter(std::span<const sock_filter> program, FilteredThreads threads) {
  const sock_fprog whole = {.len = static_cast<unsigned short>(program.size()),
                            .filter = const_cast<sock_filter*>(program.data())};  // the kernel only reads it
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, threads == FilteredThreads::all ? SECCOMP_FILTER_FLAG_TSYNC : 0,
                &whole) != 0)
    return fail_errno(Code::kernel, errno, "cannot enter the seccomp filter",
                      "The kernel must be built with CONFIG_SECCOMP_FILTER.");
  return {};
}

}  // namespace umlnet
