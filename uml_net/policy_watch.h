// Notices that the policy's files have changed (inotify(7)).
#pragma once

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

class PolicyWatch {
 public:
  // To be called before the policy is read, with the identity that reads it. A directory that is not there is not
  // watched: then there is no policy, and only root is served. Code::kernel where the kernel gives no more watches.
  static Result<PolicyWatch> begin();

  int fd() const { return fd_.get(); }

  // Whether a file of the policy was made, changed, renamed or deleted since begin(); then it stays so.
  bool has_changed();

 private:
  explicit PolicyWatch(unique_fd fd) : fd_(std::move(fd)) {}
  unique_fd fd_;
  bool changed_ = false;
};

}  // namespace umlnet
