// Closing what a process should not have open.
#pragma once

#include <span>

#include "libumlnet/core/error.h"

namespace umlnet {

// Closes every fd from number `first` on, but for those in `kept` (in any order; negative ones are passed over).
// Code::kernel where the kernel refuses.
Result<void> close_fds_from(int first, std::span<const int> kept);

}  // namespace umlnet
