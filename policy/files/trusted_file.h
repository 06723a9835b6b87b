// Files that a privileged program believes only if nobody but root could have written them.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

// Reads in trusted places. Each directory on the way is opened and looked at once, and what lies in it is then reached
// through what was opened: of a directory that is replaced meanwhile, all is of the one or of the other.
class TrustedPlaces {
 public:
  // Opens `path` (absolute) for reading: a regular file owned by root, reached from "/" through directories owned by
  // root, without a link on the way, none of them writable by group or others. Nothing where there is no such file.
  // Code::bad_policy with a line that says which part of the path is wrong and how to mend it.
  Result<std::optional<unique_fd>> open(const std::string& path);

  // The names in the trusted directory `path` that end in `suffix`, sorted. Empty where there is no such directory.
  // Asked before a file in it is opened; asked again, it lists the same directory, also where another lies in its
  // place.
  Result<std::vector<std::string>> list(const std::string& path, std::string_view suffix);

  // Whether `path` is a socket of root's, reached as a trusted file is; who may write to it is not asked.
  Result<void> check_socket(const std::string& path);

 private:
  Result<std::optional<unique_fd>> reach(const std::string& path, int flags, mode_t type);
  Result<std::optional<int>> directory(const std::string& path, int flags);

  std::map<std::string, unique_fd> directories_;
};

// The same of a place alone.
Result<std::optional<unique_fd>> open_trusted(const std::string& path);
Result<void> check_trusted_socket(const std::string& path);

// Whether nobody but root may have a say in what `fd` (borrowed), a regular file that messages call `path`, holds.
// Code::bad_policy otherwise, as TrustedPlaces::open() has it. By fstat(2) alone.
Result<void> check_trusted_file(int fd, const std::string& path);

// The whole content, at most `limit` bytes. A file that is written to while it is read is read again, so that the
// result is one state of it: that of `status`, where it is not null.
Result<std::string> read_whole(int fd, const std::string& path, std::size_t limit, struct stat* status = nullptr);

}  // namespace umlnet
