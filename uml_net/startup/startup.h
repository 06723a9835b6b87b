// The first moments of a program whose parent may be an enemy: nothing that the caller arranged stays in force.
#pragma once

#include "libumlnet/core/error.h"
#include "libumlnet/core/request_id.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

// fds 0, 1 and 2 are open (on /dev/null where the caller closed them) and all others closed, but for fd `keep`, which a
// request may name (-1: none): it becomes fd_number::kNamed, which is the result, owned by the caller of this function;
// nothing where it was not open. The environment is empty; umask 077; current directory "/"; signals unblocked and at
// their defaults, but SIGPIPE and SIGXFSZ ignored, so that a failed write is an error and not a death; no timer runs,
// and waits end when they should; no core is dumped; files may be as long, and as many may be open, as the hard limits
// let them; nobody may trace the process. Needs no privilege, and holds good whether or not there is one.
Result<unique_fd> sanitize_environment(int keep);

// What is said on stdout and stderr never gets into the audit log: where one of the two is that file, it is /dev/null
// from here on. Wants the installation's identity, with which the log can be found.
Result<void> keep_words_out_of_the_log();

// The id of this call. Code::kernel where the kernel has no random bytes.
Result<RequestId> random_id();

// fds 0, 1 and 2 are /dev/null from here on.
Result<void> let_go_of_stdio();

}  // namespace umlnet
