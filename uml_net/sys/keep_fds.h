// Descriptors at fixed numbers, which the seccomp filters know (filters/fd_numbers.h).
#pragma once

#include <span>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

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

// Gives `fd` this number, close-on-exec, at which nothing else is open (Code::bug). Code::kernel where the limit on
// open files is too low; `fd` is closed then.
Result<unique_fd> give_number(unique_fd fd, int number);

// Each number from `first` to `end` - 1 at which nothing is open becomes a copy of `fd`, for as long as the process
// lives: no descriptor that comes later gets one of these numbers. Code::kernel where the kernel refuses.
Result<void> occupy_numbers(int first, int end, int fd);

}  // namespace umlnet
