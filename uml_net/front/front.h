// The front: the process that talks to the caller. It reads the arguments and every record, answers, and writes to
// stderr. It has the caller's identity, no capability, no file, no netlink and no device of its own; what it asks of
// the executor is worth nothing that the policy does not grant.
#pragma once

#include <sys/types.h>

#include "libumlnet/core/error.h"
#include "uml_net/channel/front_process.h"

namespace umlnet {

// Makes the front, which takes over the caller's descriptors 0, 1, 2 and `named` (copies; -1: none), drops privileges
// for good, enters filters::kFront and then reads `argv`. To be called before any of the installation's files is open.
// Code::kernel where there is no process to be had.
Result<FrontProcess> start_front(int argc, const char* const* argv, int named);

}  // namespace umlnet
