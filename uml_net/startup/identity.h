// The process becomes its caller, for good.
#pragma once

#include <optional>

#include "libumlnet/core/error.h"
#include "policy/caller.h"

namespace umlnet {

// What the kernel says of the caller. To be called before or after drop_privileges().
Result<policy::Caller> read_caller();

// Gives up whatever identity the installation gave: real, effective and saved uid and gid are the caller's, verified by
// reading them back; CAP_NET_ADMIN stays permitted where it was, not in effect; no_new_privs is set; the process stays
// untraceable. Code::not_privileged where CAP_NET_ADMIN is not there, with what to do: all else has been done then.
Result<void> drop_privileges();

// Code::not_privileged where the process is in a user namespace in which root's files belong to somebody else; nothing
// otherwise, and where /proc does not say.
std::optional<Error> in_user_namespace();

}  // namespace umlnet
