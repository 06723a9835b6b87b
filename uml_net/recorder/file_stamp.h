// Files and directories as they were when a request began, so that a request that is held up notices when one was
// changed, replaced or removed.
#pragma once

#include <sys/stat.h>

#include <vector>

#include "libumlnet/core/unique_fd.h"

namespace umlnet {

class FileStamp {
 public:
  // Takes note of the directory `path` as it is now: of the names in it. One that is not there is passed over.
  void add_directory(const char* path);
  // Takes note of the file behind `fd`, which was as `status` says.
  void add_file(unique_fd fd, const struct stat& status);

  // Whether all of them are as they were. By fstat(2) alone, which no later loss of privilege forbids.
  bool is_current() const;

 private:
  struct Noted {
    unique_fd fd;
    struct stat status;
  };
  std::vector<Noted> all_;
};

// By the times of the last change (of content, names, owner, mode or links), the size and the number of links.
bool is_unchanged(const struct stat& before, const struct stat& now);

}  // namespace umlnet
