// Processes that this one forked, known by a pidfd (pidfd_open(2)): unlike a process id, it has a number that can be
// fixed, and is never another process's.
#pragma once

#include <sys/types.h>

#include <optional>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

// The pidfd of `child`, which nobody waits for by its process id, at the number `number`. Where there is none, the
// child is killed and waited for, and the error is Code::kernel.
Result<unique_fd> pidfd_of(pid_t child, int number);

// SIGKILL for the child, if it lives.
void kill_child(int pidfd);

// Waits for the child to end. The result is its exit status; nothing where a signal killed it, or it cannot be waited
// for.
std::optional<int> wait_for_child(int pidfd);

}  // namespace umlnet
