// Notices that the files which a session rests on have changed or moved: the policy and the audit log (inotify(7)).
#pragma once

#include <array>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

class FileWatch {
 public:
  // To be called before the policy is read and the log is opened, with the identity that does so: whoever the process
  // is later need not be allowed to look into their directories. A directory of the policy that is not there is not
  // watched: then there is no policy, and only root is served. Code::kernel where the kernel gives no more watches.
  static Result<FileWatch> begin();

  int fd() const { return fd_.get(); }

  // Whether a file of the policy was made, changed, renamed or deleted since begin(); then it stays so.
  bool policy_has_changed();

  // Whether another file may lie at the audit log's path than did when this was asked before. Always, where its
  // directory cannot be watched, or not any more.
  bool take_log_moves();

 private:
  explicit FileWatch(unique_fd fd) : fd_(std::move(fd)) {}
  void take_events();

  unique_fd fd_;
  std::array<int, 2> policy_ = {-1, -1};
  int log_ = -1;
  bool policy_has_changed_ = false;
  bool log_has_moved_ = false;
};

}  // namespace umlnet
