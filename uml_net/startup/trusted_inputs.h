// What the program reads and opens while it still has the identity that its installation gives it: before it becomes
// its caller.
#pragma once

#include <chrono>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "policy/loader/accounts.h"
#include "policy/loader/load.h"

namespace umlnet {

// Each part is there or says why not; which of them a request needs shows later.
struct TrustedInputs {
  Result<std::vector<policy::PolicyText>> policy;  // empty: there is no policy file
  Result<policy::Accounts> accounts;
  std::chrono::nanoseconds read_at{};  // boot time, before the first of them
};

// The paths are fixed when the program is built; no environment variable and no argument changes them, and neither
// changes what is read.
TrustedInputs read_trusted_inputs();

// /dev/net/tun, not tied to a device yet, at fd_number::kTun. No process is to be made while it is open: a copy of it
// keeps the device.
Result<unique_fd> open_tun();

}  // namespace umlnet
