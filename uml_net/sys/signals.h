// Signals for a process that has to clean up before it ends.
#pragma once

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

// Leaves the caller's session, so that a signal to the guest's process group does not end this process, and holds all
// signals back. The result is readable once one came that asks for the end: SIGTERM, SIGINT, SIGHUP or SIGQUIT.
Result<unique_fd> hold_signals_back();

// Every signal that can be, and for good: for a process that something else ends. False with errno where it failed.
bool block_all_signals();

}  // namespace umlnet
