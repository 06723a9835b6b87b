// fd:N,tap|stream|dgram|ethertap[,vnet=10|12]: a descriptor that was inherited.
#pragma once

#include "libumlnet/cli/end.h"

namespace umlnet::cli {

Outcome<std::unique_ptr<End>> fd_end(const std::string& words, const std::string& behind_prefix);

}  // namespace umlnet::cli
