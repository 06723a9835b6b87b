// The audit log's file: lines are added to it, whole or not at all.
#pragma once

#include <sys/stat.h>
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
  // Opens the log at `path` (absolute) for appending, and for reading its last byte: a file as open_root_owned_file()
  // wants it, below directories as check_directories_above() wants them. One that is not there is waited for, for two
  // seconds at the most: a rotation by renaming makes the new one a moment later. Code::audit otherwise, with what to
  // do.
  static Result<Log> open(const std::string& path);

  int fd() const { return fd_.get(); }

  // From here on the lines go to `file`, which lies at the log's place now and is as open() wants it. The number of
  // fd() stays.
  Result<void> move_to(const unique_fd& file);

  // Adds one line, ending in newline, by one write; it begins a new line where another writer's line was cut.
  // Code::audit where it cannot be written whole: what was written of it is then ended by a newline, if that is
  // possible. No byte of another's line is ever changed. Refuses, before it writes, where a limit on file sizes
  // (RLIMIT_FSIZE) is in force, because the caller could have lines cut by it; and where the file has no name any more,
  // as after a rotated log was compressed during a long session, because nobody would ever read the line; and where the
  // descriptor is not the file's any more that open() or move_to() was for.
  Result<void> append(const std::string& line);

 private:
  Log(unique_fd fd, std::string path, const struct stat& status)
      : fd_(std::move(fd)), path_(std::move(path)), device_(status.st_dev), inode_(status.st_ino) {}
  Result<std::size_t> write(const std::string& text);

  unique_fd fd_;
  std::string path_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace umlnet::audit
