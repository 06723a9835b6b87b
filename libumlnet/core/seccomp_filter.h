// Entering a seccomp filter, which libseccomp made.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>

#include "libumlnet/core/error.h"

namespace umlnet {

enum class FilteredThreads : std::uint8_t { calling, all };

// Puts the calling thread, and all that it starts, under the filter for good; or all threads of the process at once
// (SECCOMP_FILTER_FLAG_TSYNC), or none. Sets no_new_privs. Allocates no memory. Needs no privilege. Code::kernel where
// the kernel refuses.
Result<void> enter_seccomp_filter(std::span<const sock_filter> program,
                                  FilteredThreads threads = FilteredThreads::calling);

}  // namespace umlnet
