#include "uml_net/trusted_inputs.h"

#include <fcntl.h>

#include <cerrno>

#include "policy/location.h"
#include "uml_net/trusted_file.h"

namespace umlnet {
namespace {

constexpr std::size_t kMaxAccounts = 16777216;  // bytes

constexpr int kPolicyTries = 10;

// All files of the policy that are there, in order; nothing where one of `paths` after the first went away meanwhile.
Result<std::optional<std::vector<policy::PolicyText>>> read_files(const std::vector<std::string>& paths) {
  std::vector<policy::PolicyText> texts;
  for (const auto& path : paths) {
    auto file = open_trusted(path);
    if (!file) return std::unexpected(std::move(file.error()));
    if (!*file && path != paths.front()) return std::nullopt;
    if (!*file) continue;
    auto text = read_whole((*file)->get(), path, policy::kMaxFileSize);
    if (!text) return std::unexpected(std::move(text.error()));
    texts.push_back({path, *std::move(text)});
  }
  return texts;
}

// A drop-in that is put in place or renamed while the directory is listed could be missed, and with it a rule that
// denies: so what was read counts only if the directory has the same names afterwards.
Result<std::vector<policy::PolicyText>> read_policy() {
  for (int tries = 0; tries < kPolicyTries; ++tries) {
    const auto names = list_trusted(policy::kPolicyDirectory, ".json");
    if (!names) return std::unexpected(names.error());
    std::vector<std::string> paths = {policy::kPolicyFile};
    for (const auto& name : *names) paths.push_back(std::string(policy::kPolicyDirectory) + "/" + name);
    auto texts = read_files(paths);
    if (!texts) return std::unexpected(std::move(texts.error()));
    const auto after = list_trusted(policy::kPolicyDirectory, ".json");
    if (!after) return std::unexpected(after.error());
    if (*texts && *after == *names) return **std::move(texts);
  }
  return fail(Code::bad_policy, std::string(policy::kPolicyDirectory) + " is being changed without a pause",
              "Nobody is granted anything until it stays as it is for a moment.");
}

Result<std::string> read_account_file(const std::string& path) {
  auto file = open_trusted(path);
  if (!file) return std::unexpected(std::move(file.error()));
  if (!*file) return std::string();
  return read_whole((*file)->get(), path, kMaxAccounts);
}

Result<policy::Accounts> read_accounts() {
  auto passwd = read_account_file("/etc/passwd");
  if (!passwd) return std::unexpected(std::move(passwd.error()));
  auto group = read_account_file("/etc/group");
  if (!group) return std::unexpected(std::move(group.error()));
  return policy::Accounts(*passwd, *group);
}

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

}  // namespace

TrustedInputs open_trusted_inputs() {
  return {.policy = read_policy(),
          .accounts = read_accounts(),
          .log = audit::Log::open(policy::kAuditLog),
          .refusals = audit::RefusalCounters::open(policy::kRefusals),
          .tun = open_tun()};
}

}  // namespace umlnet
