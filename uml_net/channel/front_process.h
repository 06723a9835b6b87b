// The front, as the executor knows it.
#pragma once

#include "libumlnet/core/unique_fd.h"

namespace umlnet {

struct FrontProcess {
  unique_fd pidfd;
  unique_fd channel;  // of message.h, the executor's end
};

}  // namespace umlnet
