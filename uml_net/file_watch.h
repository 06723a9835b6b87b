// Notices that the files which a session rests on have changed or moved: the policy and the audit log (inotify(7)).
#pragma once

#include <array>

#include "libumlnet/core/unique_fd.h"

namespace umlnet {

class FileWatch {
 public:
  // None: it sees nothing.
  FileWatch() = default;
  // To be called before the policy is read and the log is opened, with the effective uid that does so: whoever the
  // process is later need not be allowed to look into their directories. None where the kernel gives no more watches:
  // it counts them for each user, and this one is its caller's, who shall not use up what root's own programs need. So
  // it is for a process without any capability (as_real_uid()). None as well where the policy's directory is not there
  // or cannot be listed.
  static FileWatch begin();

  // What another process began, as that one's fd() and places() say.
  using Places = std::array<int, 3>;
  FileWatch(unique_fd fd, const Places& places) : fd_(std::move(fd)), places_(places) {}

  int fd() const { return fd_.get(); }  // -1: none
  const Places& places() const { return places_; }

  // Whether a file of the policy was made, changed, renamed or deleted since begin(), where it sees that; then it stays
  // so.
  bool policy_has_changed();

  // Whether another file may lie at the audit log's path than did when this was asked before. Always, where its
  // directory cannot be watched, or not any more.
  bool take_log_moves();

 private:
  void take_events();

  unique_fd fd_;
  Places places_ = {-1, -1, -1};  // watch descriptors: the policy's two directories, and the log's
  bool policy_has_changed_ = false;
  bool log_has_moved_ = false;
};

}  // namespace umlnet
