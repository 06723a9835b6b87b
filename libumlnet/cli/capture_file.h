// The file that --pcap names.
#pragma once

#include <string>

#include "libumlnet/cli/open_fd.h"
#include "libumlnet/cli/trouble.h"

namespace umlnet::cli {

// A new file that its owner alone may read, as it holds what a guest sent and got; one that is there is emptied.
Outcome<OpenFd> open_capture_file(const std::string& path);

}  // namespace umlnet::cli
