// Descriptors that stay open in a host program which has closed its stdin, stdout or stderr: not in their places, where
// whatever it prints would be written to them.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "libumlnet/core/unique_fd.h"

namespace umlnet::client {

// `fd`, or the same on a number above 2, close-on-exec. Where there is none left, it stays as it is.
inline unique_fd off_stdio(unique_fd fd) {
  if (!fd || fd.get() > STDERR_FILENO) return fd;
  unique_fd above(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return above ? std::move(above) : std::move(fd);
}

}  // namespace umlnet::client
