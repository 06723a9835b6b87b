// Files of root's that the program writes to: they are there before, and nobody else has a say in what they are.
#pragma once

#include <expected>
#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

struct Unusable {
  Error error;  // Code::audit, with what to do about it
  int errnum;   // the kernel's; 0 where the file is there and is the wrong one
};

// Opens `path` (absolute) with `flags` of open(2); never makes it. It must be a regular file with one link, owned by
// root, not writable by everybody, reached without a symbolic link on the way. `what` is what messages call it ("audit
// log").
std::expected<unique_fd, Unusable> open_root_owned_file(const std::string& path, const std::string& what, int flags);

// Whether nobody but root can put another file at `path` (absolute), or take the file away: the directories on the way
// belong to root and are not writable by group or others. Those above its own directory may be writable by a group of
// the system's (gid below 1000), as /var/log is by syslog on some distributions. Code::audit otherwise; `name` is as
// `what` above.
Result<void> check_directories_above(const std::string& path, const std::string& name);

}  // namespace umlnet
