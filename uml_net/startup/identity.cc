#include "uml_net/startup/identity.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include "libumlnet/core/unique_fd.h"
#include "policy/location.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/take_identity.h"

namespace umlnet {
namespace {

// What the kernel's audit subsystem keeps since pam_loginuid(8) wrote at login, or nothing (it says 4294967295 where
// nobody logged in).
std::optional<std::uint32_t> read_of_login(const char* path) {
  const unique_fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  char digits[16];
  const ssize_t size = fd ? ::read(fd.get(), digits, sizeof digits) : -1;
  if (size <= 0) return std::nullopt;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits, digits + size, number);
  if (error != std::errc{} || number == static_cast<std::uint32_t>(-1)) return std::nullopt;
  return number;
}

Result<std::vector<gid_t>> read_groups() {
  const int count = ::getgroups(0, nullptr);
  std::vector<gid_t> groups(count > 0 ? static_cast<std::size_t>(count) : 0);
  const int got = ::getgroups(count, groups.data());
  if (count < 0 || got < 0) return fail_errno(Code::kernel, errno, "cannot read the caller's groups");
  groups.resize(static_cast<std::size_t>(got));
  return groups;
}

Error no_privilege(bool had_no_new_privs) {
  if (auto error = in_user_namespace()) return *std::move(error);
  if (had_no_new_privs)
    return {Code::not_privileged, 0,
            "uml_net was started with no_new_privs set, so that it cannot get its privilege (CAP_NET_ADMIN)",
            "Start it without: NoNewPrivileges=no in the systemd unit, or a container without no-new-privileges."};
  return {Code::not_privileged, 0, "uml_net was started without the privilege to change the network (CAP_NET_ADMIN)",
          "The administrator installs it set-user-ID root (chown root:" + std::string(policy::kGroup) +
              ", chmod 4754) or with a file capability\n"
              "(setcap cap_net_admin=p), on a file system that is not mounted nosuid; see uml_net(8)."};
}

}  // namespace

std::optional<Error> in_user_namespace() {
  // The first one has all ids, each as itself: 0, 0 and how many.
  const unique_fd fd(::open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t size = fd ? ::read(fd.get(), text, sizeof text) : -1;
  if (size <= 0) return std::nullopt;
  std::string map(text, static_cast<std::size_t>(size));
  std::erase(map, ' ');
  if (map == "004294967295\n") return std::nullopt;
  return Error{Code::not_privileged, 0, "uml_net was started in a user namespace, where root's files are not root's",
               "Start it outside of that namespace: not in a rootless container, nor by unshare --user."};
}

Result<policy::Caller> read_caller() {
  auto groups = read_groups();
  if (!groups) return std::unexpected(std::move(groups.error()));
  return policy::Caller{.uid = ::getuid(),
                        .gid = ::getgid(),
                        .groups = *std::move(groups),
                        .pid = ::getppid(),
                        .helper_pid = ::getpid(),
                        .user = std::nullopt,
                        .loginuid = read_of_login("/proc/self/loginuid"),
                        .sessionid = read_of_login("/proc/self/sessionid")};
}

Result<void> drop_privileges() {
  priv::empty_bounding_set();
  if (auto kept = priv::keep_permitted_over_setuid(true); !kept) return std::unexpected(std::move(kept.error()));
  if (auto taken = take_identity(::getuid(), ::getgid()); !taken) return std::unexpected(std::move(taken.error()));
  if (auto kept = priv::keep_permitted_over_setuid(false); !kept) return std::unexpected(std::move(kept.error()));
  const auto privileged = priv::keep_only_net_admin();
  if (!privileged) return std::unexpected(privileged.error());
  const bool had_no_new_privs = ::prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
    return fail_errno(Code::kernel, errno, "cannot forbid new privileges");
  // A change of identity sets this back to what /proc/sys/fs/suid_dumpable says.
  if (::prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0)
    return fail_errno(Code::kernel, errno, "cannot keep others from tracing this process");
  if (!*privileged) return std::unexpected(no_privilege(had_no_new_privs));
  return {};
}

}  // namespace umlnet
