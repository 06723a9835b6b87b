// write() to a file or a pipe without the signals that come with its failures: SIGPIPE where a pipe has no reader,
// SIGXFSZ at the limit on file size (RLIMIT_FSIZE). The host program's handlers never see them.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace umlnet::client {

// As write(2), EPIPE and EFBIG included. In this thread both signals are blocked meanwhile, and the one that came is
// taken away before the mask is put back.
ssize_t quiet_write(int fd, const void* bytes, std::size_t size);

}  // namespace umlnet::client
