// The rates of each uid: how many of its requests lately changed nothing, of which only the first get a line in the
// audit log, and how many changed the host, of which only so many are granted.
//
// The helper lives for one request, so the counters live in memory that all of its processes share: a small file beside
// the log. Each counter is one atomic word, so there is no lock that a stopped process could hold. Nothing is ever
// granted because of what is in the file.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::audit {

class RefusalCounters {
 public:
  using Time = std::chrono::system_clock::time_point;

  static constexpr unsigned kLines = 20;  // of one uid in one window
  static constexpr std::chrono::seconds kWindow{10};
  static constexpr std::size_t kSlots = 512;  // of each kind

  // Changes of one uid: so many at once, and from then on so many a second.
  static constexpr unsigned kChanges = 1000;
  static constexpr unsigned kChangesPerSecond = 20;

  // How many got no line.
  struct Suppressed {
    uid_t uid;
    unsigned number;
  };

  // Shares the counters in the file at `path`, as open_root_owned_file() wants it; an empty one is made long enough.
  // Where the file is not there, or unfit, or the disk full, this process counts for itself alone. An error where the
  // caller's own limits on files or memory are in the way: it must not get out of being counted by that.
  static Result<RefusalCounters> open(const std::string& path);

  // The file at fd_number::kCounters, which stays open as long as this lives, and which no rotation replaces; -1 where
  // there is none.
  int file() const { return file_.get(); }

  // One more request of `uid` that changed nothing. Whether it gets a line.
  bool count(uid_t uid, Time now) { return count(uid, now, What::request); }
  // One more line about `uid` that is about no such request. Whether it is to be written; not counted where it is not.
  bool count_other(uid_t uid, Time now) { return count(uid, now, What::other); }
  // One more request of which the line could not be written.
  void count_missing(uid_t uid, Time now) { count(uid, now, What::missing); }

  // One more change of `uid`. False where that is one too many for now; it is not counted then.
  bool count_change(uid_t uid, Time now);

  // Takes what was suppressed in windows that are over, of everybody.
  std::vector<Suppressed> take_finished(Time now);
  // Takes what was suppressed of `uid`, in a window that is over or not. 0 where there is nothing.
  unsigned take(uid_t uid);
  // What was taken could not be recorded.
  void put_back(Suppressed suppressed, Time now);

 private:
  using Slot = std::atomic<std::uint64_t>;  // uid, and window and count or a time; 0: free
  static_assert(Slot::is_always_lock_free && sizeof(Slot) == sizeof(std::uint64_t));
  struct Unmap {
    void operator()(Slot* slots) const;
  };
  using Slots = std::unique_ptr<Slot, Unmap>;

  RefusalCounters(Slots slots, unique_fd file) : slots_(std::move(slots)), file_(std::move(file)) {}
  std::span<Slot> slots() const;
  enum class Kind { refusals, changes };
  std::vector<Slot*> places_of(uid_t uid, Kind kind = Kind::refusals) const;
  enum class What { request, other, missing };
  bool count(uid_t uid, Time now, What what);
  static Slots map(int fd);

  Slots slots_;
  unique_fd file_;
};

}  // namespace umlnet::audit
