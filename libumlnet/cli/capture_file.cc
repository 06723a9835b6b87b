#include "libumlnet/cli/capture_file.h"

#include <fcntl.h>
#include <sysexits.h>

#include <cerrno>

namespace umlnet::cli {

Outcome<OpenFd> open_capture_file(const std::string& path) {
  OpenFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return trouble_errno(EX_CANTCREAT, "cannot write the capture to " + path, errno);
  return file;
}

}  // namespace umlnet::cli
