// Descriptors at fixed numbers, which the seccomp filters know (filters/fd_numbers.h).
#pragma once

#include <span>

#include "libumlnet/core/error.h"

namespace umlnet {

// A descriptor, and the number that it is to have.
struct NumberedFd {
  int fd;  // -1: none, and its number is free afterwards
  int number;
};

// Gives each of `fds` its number, close-on-exec, and closes all other descriptors from number `first` on. No two of
// them are the same. For a process that has just been forked: objects that own descriptors do not learn their new
// numbers. Code::kernel where the kernel refuses, as under a low limit on open files: then some of it is done.
Result<void> keep_fds(int first, std::span<const NumberedFd> fds);

}  // namespace umlnet
