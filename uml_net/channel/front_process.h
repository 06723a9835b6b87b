// The front, as the executor knows it.
#pragma once

#include <sys/types.h>

#include "libumlnet/core/unique_fd.h"

namespace umlnet {

struct FrontProcess {
  pid_t pid;
  unique_fd channel;  // of message.h, the executor's end
};

}  // namespace umlnet
