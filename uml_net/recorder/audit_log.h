// The audit log's file: lines are added to it, whole or not at all.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::audit {

class Log {
 public:
  // Opens the log at kAuditLog, as fd_number::kLog, for appending, and for reading its last byte: a file as
  // open_root_owned_file() wants it, below directories as check_directories_above() wants them. One that is not there,
  // or where `is_privileged` not yet its group's, is waited for, for two seconds at the most: a rotation by renaming
  // makes the new one a moment later. Code::audit otherwise, with what to do.
  // Nobody waits once it `is_over`.
  static Result<Log> open(bool is_privileged, std::function<bool()> is_over);

  int fd() const { return fd_.get(); }

  // From here on the lines go to the file that is at kAuditLog now, waited for as open() does. The number of fd()
  // stays. Code::audit where there is none, or it is not root's alone; then they go where they went before.
  Result<void> follow();

  // Adds one line, ending in newline, by one write; it begins a new line where another writer's line was cut.
  // Code::audit where it cannot be written whole: what was written of it is then ended by a newline, if that is
  // possible. No byte of another's line is ever changed. Refuses, before it writes, where a limit on file sizes
  // (RLIMIT_FSIZE) is in force, because the caller could have lines cut by it; and where the file has no name any more,
  // as after a rotated log was compressed during a long session, because nobody would ever read the line; and where the
  // descriptor is not the file's any more that open() or follow() opened.
  Result<void> append(const std::string& line);

 private:
  Log(unique_fd fd, bool is_privileged, std::function<bool()> is_over, const struct stat& status)
      : fd_(std::move(fd)),
        is_privileged_(is_privileged),
        is_over_(std::move(is_over)),
        device_(status.st_dev),
        inode_(status.st_ino) {}
  Result<std::size_t> write(const std::string& text);

  unique_fd fd_;
  bool is_privileged_;
  std::function<bool()> is_over_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace umlnet::audit
