// The audit log's file: lines are added to it, whole or not at all.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::audit {

// Whoever rotates the log by renaming it makes the new one a moment later: for how long that is waited for, and whether
// the error number with which the log cannot be opened may mean that.
inline constexpr std::chrono::milliseconds kRotationTakes{2000};
bool is_being_rotated(int errnum);

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
  // have lines cut where he likes; and where the file has no name any more, as one has that was rotated and compressed
  // during a long session, because nobody would ever read the line.
  Result<void> append(const std::string& line);

 private:
  Log(unique_fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  void blank(off_t start, std::size_t size);

  unique_fd fd_;
  std::string path_;
  bool appends_ = true;  // a write would otherwise go over others' lines
};

}  // namespace umlnet::audit
