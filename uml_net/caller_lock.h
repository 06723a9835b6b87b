// One request of a user at a time, where it counts: two that were decided at once would both see the last free place.
#pragma once

#include <sys/types.h>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

// An advisory lock (F_OFD_SETLK) on the byte of the audit log whose number is the uid: nobody but the helper can open
// the log and hold such a lock, and a helper that is stopped holds up its own user's requests only. It goes with the
// process at the latest.
class CallerLock {
 public:
  // Waits, for some seconds at the most, for other requests of `uid`; Code::busy where they do not end. `log` is open
  // for writing, and borrowed; it must outlive the lock. On a file system without locks there is none: over_limits()
  // then still keeps everybody to the limit.
  static Result<CallerLock> take(int log, uid_t uid);

  CallerLock(CallerLock&& other) noexcept : log_(std::exchange(other.log_, -1)), uid_(other.uid_) {}
  CallerLock& operator=(CallerLock&&) = delete;
  ~CallerLock();

 private:
  CallerLock(int log, uid_t uid) : log_(log), uid_(uid) {}
  int log_;  // -1: nothing to let go of
  uid_t uid_;
};

}  // namespace umlnet
