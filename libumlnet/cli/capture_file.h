// The file that --pcap names.
#pragma once

#include <string>

#include "libumlnet/cli/signals.h"
#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {

// A new file that its owner alone may read, as it holds what a guest sent and got; one that is there is emptied. A
// named pipe is waited for until somebody reads it; a signal that ends that is 128 + its number, without a word.
Outcome<unique_fd> open_capture_file(const std::string& path, const Signals& signals);

}  // namespace umlnet::cli
