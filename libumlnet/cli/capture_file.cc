#include "libumlnet/cli/capture_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <cerrno>

namespace umlnet::cli {

Outcome<unique_fd> open_capture_file(const std::string& path, const Signals& signals) {
  constexpr int kLookAgain = 100;  // milliseconds
  for (;;) {
    // Without waiting, since an open() that waits for a pipe's reader hears no signal.
    unique_fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600));
    if (file) return file;
    if (errno != ENXIO) return trouble_errno(EX_CANTCREAT, "cannot write the capture to " + path, errno);
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode))
      return trouble_errno(EX_CANTCREAT, "cannot write the capture to " + path, ENXIO);
    if (const int signal = signals.wait_for(-1, kLookAgain); signal != 0) return trouble(128 + signal, {});
  }
}

}  // namespace umlnet::cli
