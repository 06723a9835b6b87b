// One request of a user at a time, where it counts: two that were decided at once would both see the last free place.
#pragma once

#include <sys/types.h>

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

  // Waits, for some seconds at the most, for other requests of `uid`; Code::busy where they do not end. On a file
  // system without locks there is none.
  static Result<CallerLock> take(const Files& files, uid_t uid);

  // Whether it was certainly one and the same lock for all of the user's requests. If not, over_limits() is to be asked
  // again behind the change.
  bool is_certain() const { return is_certain_; }

  CallerLock(CallerLock&& other) noexcept
      : file_(std::exchange(other.file_, -1)), uid_(other.uid_), is_certain_(other.is_certain_) {}
  CallerLock& operator=(CallerLock&&) = delete;
  ~CallerLock();

 private:
  CallerLock(int file, uid_t uid, bool is_certain) : file_(file), uid_(uid), is_certain_(is_certain) {}
  int file_;  // -1: nothing to let go of
  uid_t uid_;
  bool is_certain_;
};

}  // namespace umlnet
