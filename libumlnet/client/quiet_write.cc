#include "libumlnet/client/quiet_write.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace umlnet::client {

ssize_t quiet_write(int fd, const void* bytes, std::size_t size) {
  sigset_t quiet, before, pending;
  sigemptyset(&quiet);
  sigaddset(&quiet, SIGPIPE);
  sigaddset(&quiet, SIGXFSZ);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &quiet, &before); error != 0) {
    errno = error;
    return -1;
  }
  // One that waits already is somebody else's, and stays.
  sigemptyset(&pending);
  sigpending(&pending);
  const ssize_t written = ::write(fd, bytes, size);
  const int error = written < 0 ? errno : 0;
  const int raised = error == EPIPE ? SIGPIPE : error == EFBIG ? SIGXFSZ : 0;
  if (raised != 0 && sigismember(&pending, raised) == 0) {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, raised);
    const timespec now{};
    while (::sigtimedwait(&only, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (written < 0) errno = error;
  return written;
}

}  // namespace umlnet::client
