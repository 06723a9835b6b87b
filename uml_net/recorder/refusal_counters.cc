#include "uml_net/recorder/refusal_counters.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/recorder/root_owned_file.h"
#include "uml_net/sys/keep_fds.h"

namespace umlnet::audit {
namespace {

constexpr std::size_t kSize = 2 * RefusalCounters::kSlots * sizeof(std::uint64_t);  // two pages
constexpr std::size_t kPlaces = 8;  // in which a uid's counter may be; with all in use, its lines are not suppressed

// What a slot holds, in one word: whoever changes it changes all of it at once.
struct Counter {
  uid_t uid;
  std::uint8_t window;  // number of the window, modulo 256
  bool missing;         // it counts requests of which the line could not be written, and no others
  std::uint32_t count;  // 23 bits, never 0

  static constexpr std::uint32_t kMost = 0x7fffff;

  static Counter of(std::uint64_t word) {
    return {static_cast<uid_t>(word >> 32), static_cast<std::uint8_t>(word >> 24), (word & (kMost + 1)) != 0,
            static_cast<std::uint32_t>(word) & kMost};
  }
  std::uint64_t word() const {
    return std::uint64_t{uid} << 32 | std::uint64_t{window} << 24 | (missing ? kMost + 1 : 0U) | count;
  }
  unsigned lines() const { return missing ? 0 : RefusalCounters::kLines; }
  unsigned suppressed() const { return count > lines() ? count - lines() : 0; }
  void add(unsigned number) { count = std::min(count + number, kMost); }
};

// The changes of a uid, in one word: the time at which the last of them is made up for, and all kChanges are free
// again. A time that is past, or further ahead than it can be because the clock was set back, means that all are free.
struct Bucket {
  uid_t uid;
  std::uint32_t full_at;  // milliseconds, modulo 2^32

  static constexpr std::uint32_t kOne = 1000 / RefusalCounters::kChangesPerSecond;
  static constexpr std::uint32_t kAll = kOne * RefusalCounters::kChanges;

  static Bucket of(std::uint64_t word) { return {static_cast<uid_t>(word >> 32), static_cast<std::uint32_t>(word)}; }
  std::uint64_t word() const { return std::uint64_t{uid} << 32 | full_at; }
  std::uint32_t taken(std::uint32_t now) const { return full_at - now <= kAll ? full_at - now : 0; }
};

std::uint8_t window_of(RefusalCounters::Time now) {
  return static_cast<std::uint8_t>(now.time_since_epoch() / RefusalCounters::kWindow);
}

// A process that read the clock a moment before must not take the next window for a past one.
bool is_over(const Counter& counter, std::uint8_t now) {
  return counter.window != now && counter.window != static_cast<std::uint8_t>(now + 1);
}

// What the caller could arrange, to get out of being counted.
bool is_callers_doing(int errnum) {
  return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == EAGAIN || errnum == EFBIG;
}

}  // namespace

void RefusalCounters::Unmap::operator()(Slot* slots) const { ::munmap(slots, kSize); }

RefusalCounters::Slots RefusalCounters::map(int fd) {
  const int kind = fd >= 0 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
  void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, kind, fd, 0);
  if (memory == MAP_FAILED) return nullptr;
  ::madvise(memory, kSize, MADV_DONTFORK);  // the relay process has no business here
  return Slots(static_cast<Slot*>(memory));
}

Result<RefusalCounters> RefusalCounters::open(const std::string& path) {
  const auto in_the_way = [&](int errnum) {
    return fail_errno(Code::audit, errnum, "cannot count refused requests in " + path,
                      "A limit on open files, file sizes or memory (ulimit) is too low for uml_net.");
  };
  Slots slots;
  unique_fd kept;
  int errnum = 0;
  if (auto file = open_root_owned_file(path, "count of refusals", O_RDWR); !file) {
    errnum = file.error().errnum;
  } else {
    struct stat status{};
    const bool known = ::fstat(file->get(), &status) == 0;
    const bool long_enough = known && status.st_size >= static_cast<off_t>(kSize);
    // With its blocks, so that a disk that is full later does no harm.
    errnum = long_enough ? 0 : ::posix_fallocate(file->get(), 0, kSize);
    if (errnum == 0) slots = map(file->get());
    if (errnum == 0 && !slots) errnum = errno;
    // The kernel says here, and not by a signal at the first access, that it cannot have the page written to.
    if (slots && ::madvise(slots.get(), kSize, MADV_POPULATE_WRITE) != 0) slots.reset();
    auto numbered = slots ? give_number(*std::move(file), fd_number::kCounters) : Result<unique_fd>();
    if (!numbered) return in_the_way(numbered.error().errnum);
    kept = *std::move(numbered);
  }
  if (!slots && is_callers_doing(errnum)) return in_the_way(errnum);
  if (!slots) slots = map(-1);
  if (!slots) return in_the_way(errno);
  return RefusalCounters(std::move(slots), std::move(kept));
}

std::span<RefusalCounters::Slot> RefusalCounters::slots() const { return {slots_.get(), kSlots}; }

// Where the counter of `uid` may be, always in the same order.
std::vector<RefusalCounters::Slot*> RefusalCounters::places_of(uid_t uid, Kind kind) const {
  Slot* const slots = slots_.get() + (kind == Kind::changes ? kSlots : 0);
  const std::size_t home = uid * 2654435761U >> 23;  // the upper 9 bits: neighbouring uids go far apart
  std::vector<Slot*> places;
  places.reserve(kPlaces);
  for (std::size_t i = 0; i < kPlaces; ++i) places.push_back(&slots[(home + i) % kSlots]);
  return places;
}

bool RefusalCounters::count(uid_t uid, Time now, What what) {
  const auto window = window_of(now);
  const auto places = places_of(uid);
  for (;;) {
    Slot* vacant = nullptr;
    Slot* past = nullptr;
    std::uint64_t vacant_word = 0, past_word = 0;
    bool again = false;
    for (Slot* place : places) {
      std::uint64_t word = place->load();
      Counter counter = Counter::of(word);
      const bool over = is_over(counter, window);
      if (word != 0 && counter.uid == uid && !over && counter.missing == (what == What::missing)) {
        if (counter.count >= counter.lines() && what == What::other) return false;
        counter.add(1);
        if (place->compare_exchange_strong(word, counter.word())) return counter.count <= counter.lines();
        again = true;
        break;
      }
      // What is suppressed there is for take_finished(), and is not lost.
      const bool is_vacant = word == 0 || (over && counter.suppressed() == 0);
      if (is_vacant && vacant == nullptr) vacant = place, vacant_word = word;
      if (!is_vacant && over && counter.uid == uid) past = place, past_word = word;
    }
    if (again) continue;
    if (vacant != nullptr) {
      const Counter first{uid, window, what == What::missing, 1};
      if (vacant->compare_exchange_strong(vacant_word, first.word())) return !first.missing;
    } else if (past != nullptr) {
      // Nobody has taken what was suppressed of this uid in all these windows: the last of them goes on.
      if (what == What::other) return false;
      Counter counter{uid, window, false, kLines};
      counter.add(Counter::of(past_word).suppressed() + 1);
      if (past->compare_exchange_strong(past_word, counter.word())) return false;
    } else {
      return true;
    }
  }
}

bool RefusalCounters::count_change(uid_t uid, Time now) {
  const auto time =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  for (;;) {
    Slot* place = nullptr;
    std::uint64_t word = 0;
    for (Slot* candidate : places_of(uid, Kind::changes)) {
      const std::uint64_t there = candidate->load();
      const bool own = there != 0 && Bucket::of(there).uid == uid;
      if (own || (place == nullptr && Bucket::of(there).taken(time) == 0)) place = candidate, word = there;
      if (own) break;
    }
    if (place == nullptr) return true;
    const std::uint32_t taken = Bucket::of(word).uid == uid ? Bucket::of(word).taken(time) : 0;
    if (taken + Bucket::kOne > Bucket::kAll) return false;
    if (place->compare_exchange_strong(word, Bucket{uid, time + taken + Bucket::kOne}.word())) return true;
  }
}

std::vector<RefusalCounters::Suppressed> RefusalCounters::take_finished(Time now) {
  std::vector<Suppressed> taken;
  for (Slot& slot : slots()) {
    std::uint64_t word = slot.load();
    if (word == 0) continue;
    const Counter counter = Counter::of(word);
    if (counter.suppressed() == 0 || !is_over(counter, window_of(now))) continue;
    if (slot.compare_exchange_strong(word, 0)) taken.push_back({counter.uid, counter.suppressed()});
  }
  return taken;
}

unsigned RefusalCounters::take(uid_t uid) {
  unsigned taken = 0;
  for (Slot* place : places_of(uid)) {
    std::uint64_t word = place->load();
    Counter counter = Counter::of(word);
    while (counter.uid == uid && counter.suppressed() != 0) {
      // The window goes on, and with it the suppressing.
      const auto left = counter.missing ? 0 : Counter{uid, counter.window, false, kLines}.word();
      if (place->compare_exchange_strong(word, left)) {
        taken += counter.suppressed();
        break;
      }
      counter = Counter::of(word);
    }
  }
  return taken;
}

void RefusalCounters::put_back(Suppressed suppressed, Time now) {
  const auto past = static_cast<std::uint8_t>(window_of(now) - 1);
  for (Slot* place : places_of(suppressed.uid)) {
    std::uint64_t word = place->load();
    Counter counter = Counter::of(word);
    if (word == 0)
      counter = {suppressed.uid, past, false, kLines};
    else if (counter.uid != suppressed.uid || counter.suppressed() == 0 || !is_over(counter, window_of(now)))
      continue;
    counter.add(suppressed.number);
    if (place->compare_exchange_strong(word, counter.word())) return;
  }
}

}  // namespace umlnet::audit
