// A log that is read while it is written, across rotations.
#pragma once

#include <list>
#include <string>

#include "libumlnet/cli/log_file.h"

namespace umlnet::cli {

// Looks at the files again and again, which works on every file system and costs little. A file that was renamed is
// read on, because a helper that had it open still writes to it, a session for as long as it lasts.
class FollowedLog {
 public:
  // `file` is the one at `path`, as far as it has been read.
  FollowedLog(std::string path, LogFile file);

  using Each = std::function<void(const LogFile& file, const LogFile::Line& line)>;
  // All lines that came since the last call, those of older files first.
  Outcome<void> read_on(const Each& each);

 private:
  void find_new_files();

  std::string path_;
  std::list<LogFile> files_;  // oldest first
  // Rotated before this began, or done with. Held open, so that no new file gets the number of one of them.
  std::list<LogFile> settled_;
};

}  // namespace umlnet::cli
