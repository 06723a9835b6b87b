#include "libumlnet/core/seccomp_filter.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace umlnet {

Result<void> enter_seccomp_filter(std::span<const sock_filter> program, FilteredThreads threads) {
  const sock_fprog whole = {.len = static_cast<unsigned short>(program.size()),
                            .filter = const_cast<sock_filter*>(program.data())};  // the kernel only reads it
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, threads == FilteredThreads::all ? SECCOMP_FILTER_FLAG_TSYNC : 0,
                &whole) != 0)
    return fail_errno(Code::kernel, errno, "cannot enter the seccomp filter",
                      "The kernel must be built with CONFIG_SECCOMP_FILTER.");
  return {};
}

}  // namespace umlnet
