#include "uml_net/recorder/caller_lock.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "uml_net/sys/retry_for.h"

namespace umlnet {
namespace {

constexpr std::chrono::milliseconds kPatience{3000};

bool set_lock(int file, uid_t uid, short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = uid;  // the file need not be so long
  lock.l_len = 1;
  return ::fcntl(file, F_OFD_SETLK, &lock) == 0;
}

}  // namespace

Result<CallerLock> CallerLock::take(const Files& files, uid_t uid, const std::function<bool()>& is_over) {
  const int file = files.counters >= 0 ? files.counters : files.log;
  bool locked = false;
  bool is_held = false;
  retry_for(kPatience, [&] {
    locked = set_lock(file, uid, F_WRLCK);
    is_held = !locked && (errno == EAGAIN || errno == EACCES || errno == EINTR);
    return !is_held || is_over();
  });
  if (is_held)
    return fail(
        Code::busy, "another request of uid " + std::to_string(uid) + " is still under way",
        "Try again in a moment. If this goes on: is a uml_net of yours stopped (ps -o pid,stat,cmd -C uml_net)?");
  return CallerLock(locked ? file : -1, uid);
}

CallerLock::~CallerLock() {
  if (file_ >= 0) set_lock(file_, uid_, F_UNLCK);
}

}  // namespace umlnet
