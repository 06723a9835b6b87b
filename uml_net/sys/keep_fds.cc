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

Result<unique_fd> give_number(unique_fd fd, int number) {
  if (!fd || fd.get() == number) return fd;
  unique_fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, number));
  if (!moved)
    return fail_errno(Code::kernel, errno == EINVAL ? EMFILE : errno, "cannot give a descriptor its number",
                      "The caller's limit on open files (ulimit -n) is too low for uml_net.");
  if (moved.get() != number) return fail(Code::bug, "two descriptors are to have the same number");
  return moved;
}

Result<void> occupy_numbers(int first, int end, int fd) {
  for (int number = first; number < end; ++number)
    if (::fcntl(number, F_GETFD) < 0 && ::dup3(fd, number, O_CLOEXEC) < 0)
      return fail_errno(Code::kernel, errno, "cannot keep the numbers of descriptors",
                        "The caller's limit on open files (ulimit -n) is too low for uml_net.");
  return {};
}

}  // namespace umlnet
