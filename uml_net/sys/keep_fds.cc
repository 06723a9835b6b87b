#include "uml_net/sys/keep_fds.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "libumlnet/core/close_fds.h"

namespace umlnet {

Result<void> keep_fds(int first, std::span<const NumberedFd> fds) {
  std::vector<NumberedFd> moved;
  std::vector<int> numbers;
  for (const auto& one : fds)
    if (one.fd >= 0) moved.push_back(one), numbers.push_back(one.number);
  for (auto& one : moved) {
    if (one.fd == one.number) continue;
    for (auto& other : moved)
      if (other.fd == one.number) other.fd = ::fcntl(other.fd, F_DUPFD_CLOEXEC, 0);  // it gets its number later
    if (::dup3(one.fd, one.number, O_CLOEXEC) < 0)
      return fail_errno(Code::kernel, errno, "cannot give a descriptor its number");
    one.fd = one.number;
  }
  return close_fds_from(first, numbers);
}

}  // namespace umlnet
