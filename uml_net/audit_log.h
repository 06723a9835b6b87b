// The audit log's file: lines are added to it, whole or not at all.
#pragma once

#include <sys/types.h>

#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::audit {

class Log {
 public:
  // Opens the log at `path` (absolute) for appending: a file as open_roots_file() wants it. One that is not there is
  // waited for, for two seconds at the most: whoever rotates it by renaming makes the new one a moment later.
  // Code::audit otherwise, with what to do about it.
  static Result<Log> open(const std::string& path);

  int fd() const { return fd_.get(); }

  // From here on the lines go to `file`, which lies at the log's place now and is as open() wants it. The number of
  // fd() stays.
  Result<void> move_to(const unique_fd& file);

  // Adds one line, ending in newline, by one write. Code::audit where it cannot be written whole. What a full disk let
  // through of it is then made an empty JSON object in its place; no byte of another's line is ever touched. Refuses,
  // before it writes, where a limit on file sizes (RLIMIT_FSIZE) is in force, because whoever sets that limit could
  // have lines cut where he likes.
  Result<void> append(const std::string& line);

 private:
  Log(unique_fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  void blank(off_t start, std::size_t size);

  unique_fd fd_;
  std::string path_;
  bool appends_ = true;  // a write would otherwise go over others' lines
};

}  // namespace umlnet::audit
