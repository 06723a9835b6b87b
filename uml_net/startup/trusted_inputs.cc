#include "uml_net/startup/trusted_inputs.h"

#include <fcntl.h>

#include <cerrno>

#include "libumlnet/core/boot_time.h"
#include "policy/files/policy_files.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/sys/keep_fds.h"

namespace umlnet {

Result<unique_fd> open_tun() {
  unique_fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (fd) return give_number(std::move(fd), fd_number::kTun);
  switch (errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return fail_errno(Code::kernel, errno, "cannot open /dev/net/tun",
                        "The administrator loads the driver: modprobe tun");
    case EACCES:
    case EPERM:
      return fail_errno(
          Code::kernel, errno, "cannot open /dev/net/tun",
          "Installed with a file capability, uml_net needs it open to its callers (chmod 0666 /dev/net/tun,\n"
          "as udev does by itself); otherwise install uml_net set-user-ID root.");
    default: return fail_errno(Code::kernel, errno, "cannot open /dev/net/tun");
  }
}

TrustedInputs read_trusted_inputs() {
  const auto read_at = boot_time();
  TrustedPlaces places;
  auto policy = policy::read_policy_files(places);
  return {.policy = std::move(policy), .accounts = policy::read_accounts(places), .read_at = read_at};
}

}  // namespace umlnet
