#include "libumlnet/core/close_fds.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace umlnet {

Result<void> close_fds_from(int first, std::span<const int> kept) {
  std::vector<int> numbers(kept.begin(), kept.end());
  std::ranges::sort(numbers);
  auto next = static_cast<unsigned>(first);
  const auto close_until = [&](unsigned last) { return next > last || ::close_range(next, last, 0) == 0; };
  for (const int fd : numbers) {
    const auto number = static_cast<unsigned>(fd);
    if (fd < 0 || number < next) continue;
    if (number > next && !close_until(number - 1)) return fail_errno(Code::kernel, errno, "cannot close inherited fds");
    next = number + 1;
  }
  if (!close_until(~0U)) return fail_errno(Code::kernel, errno, "cannot close inherited fds");
  return {};
}

}  // namespace umlnet
