// The limit on open files, for a process that holds many (getrlimit(2)).
#pragma once

#include <sys/resource.h>

namespace umlnet {

// Raises the soft limit to the hard one. Where that fails, the process has fewer.
inline void raise_open_file_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace umlnet
