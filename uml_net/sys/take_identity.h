// The one place where a process changes its user.
#pragma once

#include <sys/types.h>

#include "libumlnet/core/error.h"

namespace umlnet {

// Real, effective and saved uid and gid are these, verified by reading them back, or Code::kernel. Needs no privilege
// where they are among those that the process has.
Result<void> take_identity(uid_t uid, gid_t gid);

}  // namespace umlnet
