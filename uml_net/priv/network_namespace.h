// A network namespace of the caller's own: whose it is, and a way into it (namespaces(7), ioctl_nsfs(2),
// user_namespaces(7)).
#pragma once

#include <sys/types.h>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::priv {

// Whether `netns` is a network namespace whose owning user namespace was made by `uid`, and is not the one that this
// program runs in. Code::bad_channel where it is no network namespace, Code::denied where it is another's. Needs no
// privilege.
Result<void> check_namespace_of(int netns, uid_t uid);

// Enters the user namespace that owns `netns`, and then `netns`, for good, and opens an rtnetlink socket there, with
// strict checks. Whoever made that user namespace, and stands directly above it, needs no capability for that. For a
// single-threaded process that does nothing else.
Result<unique_fd> open_rtnetlink_in(int netns);

}  // namespace umlnet::priv
