#include "uml_net/trusted_inputs.h"

#include <fcntl.h>

#include <cerrno>

#include "policy/location.h"
#include "policy/policy_files.h"

namespace umlnet {
namespace {

Result<unique_fd> open_tun() {
  unique_fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (fd) return fd;
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

Result<std::vector<unique_fd>> open_tuns(unsigned number) {
  std::vector<unique_fd> tuns;
  while (tuns.size() < number) {
    auto tun = open_tun();
    if (!tun) return std::unexpected(std::move(tun.error()));
    tuns.push_back(*std::move(tun));
  }
  return tuns;
}

}  // namespace

TrustedInputs open_trusted_inputs(unsigned tuns) {
  TrustedPlaces places;
  return {.policy = policy::read_policy_files(places),
          .accounts = policy::read_accounts(places),
          .log = audit::Log::open(policy::kAuditLog),
          .refusals = audit::RefusalCounters::open(policy::kRefusals),
          .tuns = open_tuns(tuns)};
}

}  // namespace umlnet
