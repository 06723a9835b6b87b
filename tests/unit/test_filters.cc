// The filters of the helper: their programs against the tables that they were made of, call by call; and some of them
// as the kernel holds them, where a child enters one and tries one thing.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "libumlnet/core/system_calls.h"
#include "tests/unit/in_a_child.h"
#include "tests/unit/qemu_user.h"
#include "tests/unit/seccomp_program.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/filters.h"
#include "uml_net/filters/table.h"

using namespace umlnet;
using namespace umlnet::filters;

namespace {

constexpr std::uint32_t kAnotherArch = kAuditArch == AUDIT_ARCH_I386 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_I386;

const std::pair<std::string_view, const Filter*> kFilters[] = {
    {"Front", &kFront},
    {"FrontWithNamed", &kFrontWithNamed},
    {"OneShot", &kOneShot},
    {"OneShotOpen", &kOneShotOpen},
    {"Controller", &kController},
    {"NativeSession", &kNativeSession},
    {"Recorder", &kRecorder},
    {"RecorderWithTun", &kRecorderWithTun},
    {"RecorderWithoutPolicy", &kRecorderWithoutPolicy},
    {"CallerWorker", &kCallerWorker},
    {"SessionRelay", &kSessionRelay},
    {"SealedRelay", &kSealedRelay},
    {"Announcer", &kAnnouncer},
};

const Filter& filter_of(const Table& table) {
  const auto found = std::ranges::find(kFilters, table.name, &std::pair<std::string_view, const Filter*>::first);
  REQUIRE_MESSAGE(found != std::end(kFilters), table.name);
  return *found->second;
}

// The values that a filter gets at run time: those of no object and no descriptor.
std::vector<PatchedWord> words_of(const Filter& filter) {
  std::set<Word> words;
  for (const auto& place : filter.places) words.insert(place.word);
  std::vector<PatchedWord> patched;
  for (const Word word : words)
    patched.push_back({word, word == Word::upper_half ? 0x7ffeU : 0x1000U + 0x40U * static_cast<std::uint32_t>(word)});
  return patched;
}

std::uint64_t address_of(Word word) { return 0x7ffe'0000'1000U + 0x40U * static_cast<std::uint64_t>(word); }

// One way in which a call is allowed.
struct Allowed {
  int number;
  std::vector<Condition> conditions;
};

std::vector<Allowed> allowed_by(const Table& table) {
  std::vector<Allowed> allowed;
  const auto add = [&](std::string_view call, std::vector<Condition> conditions) {
    int number = seccomp_syscall_resolve_name(std::string(call).c_str());
    if (number < 0 && call == "poll") number = SYS_ppoll, conditions.push_back(is_null(3));
    if (number < 0 && call == "readlink") number = SYS_readlinkat;
    REQUIRE_MESSAGE(number >= 0, call);
    for (auto& condition : conditions)
      if (condition.word) condition.values = {address_of(*condition.word)};
    allowed.push_back({number, conditions});
  };
  for (const auto& rule : table.rules)
    for (const auto& call : rule.calls) add(call, rule.conditions);
#ifdef UMLNET_SANITIZED
  for (const auto& call : table.for_sanitizers) add(call, {});
#endif
  return allowed;
}

// What a table says of a call, by the words of table.h.
bool allows(const std::vector<Allowed>& ways, const seccomp_data& data) {
  return data.arch == kAuditArch && std::ranges::any_of(ways, [&](const Allowed& way) {
           return way.number == data.nr && std::ranges::all_of(way.conditions, [&](const Condition& condition) {
                    return std::ranges::any_of(condition.values, [&](const Number& value) {
                      return ((data.args[condition.argument] ^ value.value) & condition.mask.value) == 0;
                    });
                  });
         });
}

// Every system call with arguments that a condition speaks of, with their neighbours, and with bits that are too high.
void check(const Table& table) {
  const Filter& filter = filter_of(table);
  Program program(filter.program.begin(), filter.program.end());
  REQUIRE(patch(filter, program, words_of(filter)));
  const auto ways = allowed_by(table);
  std::mt19937_64 random(1);
  std::size_t allowed = 0, compared = 0;
  const auto compare = [&](const seccomp_data& data) {
    const std::uint32_t is = run(program, data);
    const std::uint32_t should = allows(ways, data) ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS;
    ++compared;
    allowed += is == SECCOMP_RET_ALLOW;
    if (is != should)
      FAIL_CHECK(table.name << ": system call " << data.nr << " of " << data.arch << " with " << data.args[0] << ", "
                            << data.args[1] << ", " << data.args[2] << ": " << is << " instead of " << should);
  };
  std::set<std::uint64_t> values = {0, 1, 3, ~std::uint64_t{0}};
  for (const auto& way : ways)
    for (const auto& condition : way.conditions)
      for (const auto& value : condition.values)
        values.insert({value.value, value.value + 1, condition.mask.value, ~condition.mask.value});
  const std::vector<std::uint64_t> pool(values.begin(), values.end());
  const auto any = [&] { return pool[random() % pool.size()] ^ (random() % 8 == 0 ? std::uint64_t{1} << 32 : 0); };
  for (int number = 0; number < 600; ++number)
    for (const std::uint32_t arch : std::initializer_list<std::uint32_t>{kAuditArch, kAnotherArch, 0})
      compare(
          {.nr = number, .arch = arch, .instruction_pointer = 0, .args = {any(), any(), any(), any(), any(), any()}});
  for (const int number : {-2, -1, 0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff})
    compare({.nr = number, .arch = kAuditArch, .instruction_pointer = 0, .args = {}});
  for (const auto& way : ways)
    for (int tries = 0; tries < 500; ++tries) {
      seccomp_data data{.nr = way.number, .arch = kAuditArch, .instruction_pointer = 0, .args = {}};
      for (auto& argument : data.args) argument = any();
      // Most of them as the rule wants them, so that each condition decides now and then.
      for (const auto& condition : way.conditions)
        if (random() % 8 != 0) {
          auto& argument = data.args[condition.argument];
          const auto& value = condition.values[random() % condition.values.size()];
          argument = (argument & ~condition.mask.value) | (value.value & condition.mask.value);
        }
      compare(data);
    }
  CHECK(allowed > 0);
  CHECK(allowed < compared);
}

// The child has /dev/null at all of the numbers, but for `channel`: what matters here is whether the kernel lets the
// call begin.
End under(const Filter& filter, const std::function<void()>& attempt) {
  return in_a_child(
      [&] {
        const int null = ::open("/dev/null", O_RDWR);
        for (int number = 3; number < 8; ++number) ::dup2(null, number);
        return enter(filter).has_value();
      },
      attempt);
}

constexpr std::uint64_t kUpperBit = std::uint64_t{1} << 32;

}  // namespace

TEST_CASE("filters: each is what its table says, and each table has one") {
  std::set<std::string_view> names;
  for (const auto& table : tables()) {
    check(table);
    names.insert(table.name);
  }
  CHECK(names.size() == std::size(kFilters));
}

TEST_CASE("filters: the kernel kills on what no table allows, and on other tables of system calls") {
  if (skip_without_seccomp()) return;
  for (const auto& [name, filter] : kFilters) {
    if (!filter->places.empty()) continue;
    CHECK_MESSAGE(under(*filter, [] {}) == End::lived, name);
    for (const long call : {SYS_getppid, SYS_execve, SYS_ptrace, SYS_io_uring_setup, SYS_unshare, SYS_setuid})
      CHECK_MESSAGE(under(*filter, [&] { ::syscall(call, 0, 0, 0, 0); }) == End::killed, name << " " << call);
#ifdef __x86_64__
    CHECK_MESSAGE(under(*filter, [] { ::syscall(0x40000000 | SYS_exit_group, 0); }) == End::killed, name);
    CHECK_MESSAGE(under(*filter, [] { asm volatile("int $0x80" ::"a"(20)); }) == End::killed, name);
#endif
  }
}

TEST_CASE("filters: a descriptor is compared by the bits that the kernel looks at") {
  if (skip_without_seccomp()) return;
  const auto receive = [](std::uint64_t fd) {
    ::syscall(SYS_recvfrom, fd, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
  };
  const auto send = [](std::uint64_t fd) { ::syscall(SYS_sendto, fd, nullptr, 0, MSG_DONTWAIT, nullptr, 0); };
  for (const std::uint64_t upper : {std::uint64_t{0}, kUpperBit}) {
    CHECK(under(kAnnouncer, [&] { receive(upper | fd_number::kWorkerChannel); }) == End::lived);
    CHECK(under(kAnnouncer, [&] { receive(upper | fd_number::kWorkerKept); }) == End::killed);
    CHECK(under(kAnnouncer, [&] { send(upper | fd_number::kWorkerKept); }) == End::lived);
    CHECK(under(kAnnouncer, [&] { send(upper | fd_number::kWorkerChannel); }) == End::killed);
  }
}

TEST_CASE("filters: a relay uses its own descriptors, each in its way") {
  if (skip_without_seccomp()) return;
  char byte = 0;
  const auto reads = [&](int fd) { return [&byte, fd] { ::read(fd, &byte, 1); }; };
  for (const auto* filter : {&kSessionRelay, &kSealedRelay}) {
    CHECK(under(*filter, reads(fd_number::kRelayTap)) == End::lived);
    CHECK(under(*filter, reads(fd_number::kRelayData)) == End::killed);
    CHECK(under(*filter, [&] { ::write(fd_number::kRelayTap, &byte, 1); }) == End::lived);
    CHECK(under(*filter, [&] { ::write(fd_number::kRelayController, &byte, 1); }) == End::killed);
    CHECK(under(*filter, [&] { ::recv(fd_number::kRelayData, &byte, 1, MSG_DONTWAIT); }) == End::lived);
    CHECK(under(*filter, [&] { ::recv(fd_number::kRelayTap, &byte, 1, MSG_DONTWAIT); }) == End::killed);
    CHECK(under(*filter, [] { ::fcntl(fd_number::kRelayTap, F_GETFL); }) == End::killed);
  }
  CHECK(under(kSessionRelay, reads(fd_number::kRelayController)) == End::lived);
  CHECK(under(kSealedRelay, reads(fd_number::kRelayController)) == End::killed);
}

TEST_CASE("filters: poll() may wait for so many descriptors, for any time, and cannot set a signal mask") {
  const Program program(kSessionRelay.program.begin(), kSessionRelay.program.end());
  const auto poll = [&](std::uint64_t count, std::uint64_t timeout, std::uint64_t mask) {
    return run(
        program,
        {.nr = kSysPoll, .arch = kAuditArch, .instruction_pointer = 0, .args = {4096, count, timeout, mask, 0, 0}});
  };
  for (const std::uint64_t timeout : {std::uint64_t{0}, std::uint64_t{8192}, ~std::uint64_t{0}}) {
    CHECK(poll(3, timeout, 0) == SECCOMP_RET_ALLOW);
    CHECK(poll(2, timeout, 0) == SECCOMP_RET_KILL_PROCESS);
    CHECK(poll(4, timeout, 0) == SECCOMP_RET_KILL_PROCESS);
  }
  // poll(2) has no fourth argument: whatever the register holds is allowed.
  CHECK(poll(3, 0, 12288) == (kPollIsPpoll ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW));
  if (!kPollIsPpoll)
    CHECK(run(program, {.nr = SYS_ppoll, .arch = kAuditArch, .instruction_pointer = 0, .args = {0, 3}}) ==
          SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("filters: words are put in their places, and where anything is amiss there is no filter") {
  constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
  const Program program = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 20},          {kIfEqual, 0, 3, placeholder(Word::upper_half)},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 16},          {kIfEqual, 2, 0, placeholder(Word::log_path)},
      {kIfEqual, 1, 0, placeholder(Word::tun_path)}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  const std::vector<Place> places = {{Word::upper_half, 1}, {Word::log_path, 3}, {Word::tun_path, 4}};
  using Words = std::vector<PatchedWord>;
  const Words words = {{Word::upper_half, 0x7fff}, {Word::log_path, 0x7fff}, {Word::tun_path, 0x2000}};
  const auto try_it = [&](const Program& its_program, const std::vector<Place>& its_places, const Words& its_words) {
    Program copy = its_program;
    const auto done = patch({its_program, its_places}, copy, its_words);
    if (!done) CHECK(done.error().code == Code::bug);
    return done ? std::optional(copy) : std::nullopt;
  };

  const auto patched = try_it(program, places, words);
  REQUIRE(patched);
  const auto at = [&](std::uint64_t address) {
    return run(*patched, {.nr = 0, .arch = 0, .instruction_pointer = 0, .args = {address}});
  };
  CHECK(at(0x7fff'0000'7fff) == SECCOMP_RET_ALLOW);
  CHECK(at(0x7fff'0000'2000) == SECCOMP_RET_ALLOW);
  CHECK(at(0x7fff'0000'2001) == SECCOMP_RET_KILL_PROCESS);
  CHECK(at(0x7ffe'0000'2000) == SECCOMP_RET_KILL_PROCESS);
  CHECK(at(placeholder(Word::log_path)) == SECCOMP_RET_KILL_PROCESS);

  CHECK_FALSE(try_it(program, places, {}));
  CHECK_FALSE(try_it(program, places, {words[0], words[1]}));                            // a place without a word
  CHECK_FALSE(try_it(program, {places[0], places[1]}, words));                           // a word without a place
  CHECK_FALSE(try_it(program, places, {words[0], words[1], {Word::tun_path, 0x7fff}}));  // two of one value
  CHECK_FALSE(try_it(program, places, {words[0], words[1], words[2], words[2]}));        // one twice
  CHECK_FALSE(try_it(program, {places[0], places[1], {Word::tun_path, 3}}, words));      // another word's place
  CHECK_FALSE(try_it(program, {places[0], places[1], {Word::tun_path, 2}}, words));      // no comparison
  CHECK_FALSE(try_it(program, {places[0], places[1], {Word::tun_path, 7}}, words));      // behind the end
  Program shorter(program.begin(), program.end() - 1);
  CHECK_FALSE(patch({program, places}, shorter, words));
}
