#include "uml_net/startup/trusted_inputs.h"

#include <fcntl.h>

#include <cerrno>
#include <string>

#include "libumlnet/core/boot_time.h"
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

// And takes note of its directory.
Result<audit::Log> open_log(FileStamp& stamp) {
  const std::string path = policy::kAuditLog, directory = path.substr(0, path.rfind('/'));
  stamp.add_directory(directory.c_str());
  auto log = audit::Log::open(path);
  if (!stamp.is_current()) {  // it was waited for
    stamp = FileStamp();
    stamp.add_directory(directory.c_str());
    log = audit::Log::open(path);
  }
  return log;
}

}  // namespace

TrustedInputs open_trusted_inputs() {
  const auto opened_at = boot_time();
  FileStamp policy_fingerprint, log_fingerprint;
  for (const auto* directory : {policy::kPolicyRoot, policy::kPolicyDirectory})
    policy_fingerprint.add_directory(directory);
  TrustedPlaces places;
  auto policy = policy::read_policy_files(
      places, [&](unique_fd file, const struct stat& status) { policy_fingerprint.add_file(std::move(file), status); });
  auto log = open_log(log_fingerprint);
  return {.policy = std::move(policy),
          .accounts = policy::read_accounts(places),
          .log = std::move(log),
          .refusals = audit::RefusalCounters::open(policy::kRefusals),
          .tun = open_tun(),
          .opened_at = opened_at,
          .policy_fingerprint = std::move(policy_fingerprint),
          .log_fingerprint = std::move(log_fingerprint)};
}

}  // namespace umlnet
