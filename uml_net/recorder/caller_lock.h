// One request of a user at a time, where it counts: of two that were decided at once both would see the last free
// place, and look again, and be refused.
#pragma once

#include <sys/types.h>

#include <functional>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

// An advisory lock (F_OFD_SETLK) on the byte whose number is the uid, in a file that nobody but the helper can open and
// so hold such a lock in: a helper that is stopped holds up its own user's requests only. It goes with the process at
// the latest.
class CallerLock {
 public:
  // The files in which it may stand, open for writing, and borrowed; they must outlive the lock.
  struct Files {
    int counters;  // the one that no rotation replaces; -1 where it cannot be had
    int log;       // else the audit log
  };

  // Waits, for some seconds at the most and until it `is_over`, for other requests of `uid`; Code::busy where they do
  // not end. On a file system without locks there is none.
  static Result<CallerLock> take(const Files& files, uid_t uid, const std::function<bool()>& is_over);

  CallerLock(CallerLock&& other) noexcept : file_(std::exchange(other.file_, -1)), uid_(other.uid_) {}
  CallerLock& operator=(CallerLock&&) = delete;
  ~CallerLock();

 private:
  CallerLock(int file, uid_t uid) : file_(file), uid_(uid) {}
  int file_;  // -1: nothing to let go of
  uid_t uid_;
};

}  // namespace umlnet
