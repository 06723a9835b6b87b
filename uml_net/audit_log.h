// The audit log's file: lines are added to it, whole or not at all.
#pragma once

#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::audit {

class Log {
 public:
  // Opens the log at `path` (absolute) for appending. It must be there: a regular file with one link, owned by root,
  // not writable by everybody, reached without a symbolic link on the way. Code::audit otherwise, with what to do about
  // it.
  static Result<Log> open(const std::string& path);

  int fd() const { return fd_.get(); }

  // Adds one line, ending in newline, by one write. What a full disk lets through of it is taken off again.
  Result<void> append(const std::string& line);

 private:
  Log(unique_fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  unique_fd fd_;
  std::string path_;
};

}  // namespace umlnet::audit
