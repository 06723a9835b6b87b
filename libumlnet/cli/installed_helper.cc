#include "libumlnet/cli/installed_helper.h"

#include <linux/capability.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "libumlnet/core/plain_text.h"
#include "policy/location.h"

namespace umlnet::cli {
namespace {

constexpr std::string_view kOurName = "uml_net ";
constexpr std::size_t kShown = 80;  // bytes of what a program says

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string give_privilege(const Examination& examination, gid_t group) {
  const auto name = group_name(examination.host, group);
  const bool is_callers = group != 0 && name != policy::kLogGroup;
  return "chown root:" + (is_callers ? name : policy::kGroup) + " " + examination.helper + " && chmod 4754 " +
         examination.helper;
}

Finding no_helper() { return cannot_tell("there is no helper to look at", "install uml_net, or say --helper PATH"); }

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// What stands behind `key` at the beginning of a line.
std::string value_of(const std::string& text, const std::string& key) {
  std::size_t start = 0;
  while (start < text.size()) {
    const auto end = std::min(text.find('\n', start), text.size());
    const auto line = text.substr(start, end - start);
    if (line.starts_with(key)) {
      const auto first = line.find_first_not_of(" \t", key.size());
      return first == std::string::npos ? "" : line.substr(first);
    }
    start = end + 1;
  }
  return {};
}

}  // namespace

bool permits_net_admin(const std::string& attribute) {
  const auto word = [&](std::size_t index) {
    std::uint32_t value = 0;  // little-endian on every machine
    for (std::size_t i = 0; i < 4; ++i)
      value |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(attribute[4 * index + i])) << (8 * i);
    return value;
  };
  if (attribute.size() < 8) return false;
  const auto version = word(0) & VFS_CAP_REVISION_MASK;
  const bool known = version == VFS_CAP_REVISION_1 || version == VFS_CAP_REVISION_2 || version == VFS_CAP_REVISION_3;
  return known && (word(1) & (1U << CAP_NET_ADMIN)) != 0;
}

std::string group_name(const HostView& host, gid_t group) {
  const auto accounts = host.accounts();
  const auto name = accounts ? accounts->memberships.group_name(group) : std::nullopt;
  return name ? *name : std::to_string(group);
}

Installation installation_of(const Examination& examination) {
  const auto file = examination.host.look_at(examination.helper);
  if (examination.helper.empty() || !file) return Installation::missing;
  // With both, the kernel goes by the capability.
  if (permits_net_admin(examination.host.capability_attribute(examination.helper))) return Installation::filecap;
  if ((file->mode & S_ISUID) != 0 && file->uid == 0) return Installation::setuid;
  return Installation::none;
}

Finding examine_helper(const Examination& examination) {
  const auto& path = examination.helper;
  if (path.empty())
    return problem("there is no uml_net where it is installed, nor in PATH",
                   "meson install -C build, or say where it is: --helper PATH");
  const auto file = examination.host.look_at(path);
  if (!file) {
    if (file.error().errnum == EACCES) return cannot_tell("cannot look at " + file.error().line());
    return problem(file.error().line(), "meson install -C build, or say where it is: --helper PATH");
  }
  if (!S_ISREG(file->mode) && !S_ISLNK(file->mode)) return problem(path + " is not a program", "--helper PATH");
  if (S_ISLNK(file->mode))
    return warning(path + " is a symbolic link; what it leads to was not looked at",
                   "--helper PATH, of the file itself");
  if ((file->mode & (S_IWGRP | S_IWOTH)) != 0)
    return problem(path + " has mode " + octal(file->mode) + ": others than root can replace what it does",
                   "look at what is in it, then " + give_privilege(examination, file->gid));
  const auto group = group_name(examination.host, file->gid);
  switch (installation_of(examination)) {
    case Installation::filecap:
      return ok(path + " has cap_net_admin" +
                ((file->mode & S_ISGID) != 0 ? ", and opens its files as group " + group : ""));
    case Installation::setuid:
      return ok(path + " is set-user-ID root, for " +
                ((file->mode & S_IXOTH) != 0 ? "everybody" : "members of the group " + group));
    case Installation::none:
    case Installation::missing: break;
  }
  if ((file->mode & S_ISUID) != 0)
    return problem(path + " is set-user-ID, and belongs to uid " + std::to_string(file->uid) + " and not to root",
                   give_privilege(examination, file->gid));
  return problem(
      path + " has no privilege (mode " + octal(file->mode) + ", no capability): only root gets anything of it",
      give_privilege(examination, file->gid));
}

Finding examine_mount(const Examination& examination) {
  if (installation_of(examination) == Installation::missing) return no_helper();
  const auto filesystem = examination.host.filesystem_of(examination.helper);
  if (!filesystem) return cannot_tell(filesystem.error().line());
  if (!filesystem->nosuid) return ok("its file system lets programs have privilege");
  return problem("the file system of " + examination.helper + " is mounted nosuid: no program on it gets privilege",
                 "mount -o remount,suid \"$(findmnt -no TARGET -T " + examination.helper +
                     ")\", and take nosuid out of /etc/fstab; or install it elsewhere");
}

Finding examine_access(const Examination& examination) {
  const auto& host = examination.host;
  const auto file = host.look_at(examination.helper);
  if (examination.helper.empty() || !file) return no_helper();
  const auto viewer = host.viewer();
  const auto who = viewer.user ? *viewer.user : "uid " + std::to_string(viewer.uid);
  if (host.may_execute(examination.helper)) return ok(who + " may start it");
  const bool by_group = (file->mode & S_IXGRP) != 0 && file->gid != 0;
  const auto accounts = host.accounts();
  // With a file capability the file's group is another, and an access control list has the one of the callers.
  const bool filecap = installation_of(examination) == Installation::filecap;
  const auto group_id = filecap && accounts ? accounts->memberships.group_id(policy::kGroup) : file->gid;
  if (!by_group || !group_id)
    return problem(who + " may not start " + examination.helper + " (mode " + octal(file->mode) + ")",
                   give_privilege(examination, file->gid) + ", and see to the directories above it");
  const auto group = group_name(host, *group_id);
  const auto joined = accounts && viewer.user ? accounts->memberships.groups_of(*viewer.user) : std::vector<gid_t>{};
  if (std::ranges::find(joined, *group_id) != joined.end())
    return problem(who + " has joined the group " + group + " since this session began, which does not have it yet",
                   "log in again, or newgrp " + group);
  return problem("only members of the group " + group + " may start it, and " + who + " is none",
                 "usermod -aG " + group + " " + (viewer.user ? *viewer.user : "USER") + ", and log in again");
}

Finding examine_version(const Examination& examination) {
  const auto& path = examination.helper;
  if (installation_of(examination) == Installation::missing) return no_helper();
  if (!examination.host.may_execute(path)) return cannot_tell("this user may not start " + path);
  const auto output = examination.host.run({path, "--version"});
  if (!output) return problem(output.error().line(), "install it again: meson install -C build");
  if (output->status != 0 || !output->out.starts_with(kOurName))
    return problem(path + " does not say its version, so it is no uml_net of this toolkit: " +
                       in_quotes(first_line(output->out.empty() ? output->err : output->out), kShown),
                   "install this one, and remove the other (apt-get remove uml-utilities)");
  const auto version = output->out.substr(kOurName.size(), output->out.find_first_of(",\n") - kOurName.size());
  if (!output->out.contains("protocol version 4"))
    return problem("it is " + escaped(version, kShown) + ", and does not speak protocol version 4",
                   "install the version of this command: " UMLNET_VERSION);
  // Files of another place would be looked at below, and found right or wrong for nothing.
  if (!value_of(output->out, "policy:").starts_with(policy::kPolicyFile) ||
      value_of(output->out, "audit log:") != policy::kAuditLog)
    return warning("it was built for other places: policy " + escaped(value_of(output->out, "policy:"), kShown) +
                       ", audit log " + escaped(value_of(output->out, "audit log:"), kShown),
                   "use the umlnet that was built with it");
  if (version != UMLNET_VERSION)
    return warning("it is " + escaped(version, kShown) + ", and this command is " UMLNET_VERSION,
                   "install both from one build");
  return ok("it is " + version + ", and speaks protocol version 4");
}

Finding examine_path(const Examination& examination) {
  if (examination.helper.empty()) return no_helper();
  const auto first = examination.host.find_in_path("uml_net");
  if (!first)
    return warning("there is no uml_net in PATH, where a User-Mode Linux kernel looks for it",
                   "PATH=\"" + directory_of(examination.helper) + ":$PATH\"");
  if (examination.host.same_file(*first, examination.helper)) return ok("a User-Mode Linux kernel finds it in PATH");
  return warning(
      "a User-Mode Linux kernel finds another one first in PATH: " + *first,
      "PATH=\"" + directory_of(examination.helper) + ":$PATH\", or remove the other (apt-get remove uml-utilities)");
}

Finding examine_confinement(const Examination& examination) {
  constexpr std::uint64_t kNetAdmin = 1U << CAP_NET_ADMIN;
  const auto status = examination.host.read("/proc/self/status");
  if (!status) return cannot_tell(status.error().line());
  if (value_of(*status, "NoNewPrivs:") == "1")
    return problem("this session has no_new_privs: no program that it starts gains privilege",
                   "leave the sandbox: NoNewPrivileges=no in the unit, or a container without no-new-privileges");
  const auto bounding = value_of(*status, "CapBnd:");
  if (!bounding.empty() && (std::strtoull(bounding.c_str(), nullptr, 16) & kNetAdmin) == 0)
    return problem("CAP_NET_ADMIN is out of reach of this session, as in a container",
                   "start the container with --cap-add=NET_ADMIN --device=/dev/net/tun");
  const auto map = examination.host.read("/proc/self/uid_map");
  if (map && value_of(*map, "         0          0 ") != "4294967295")
    return warning(
        "this session is in a user namespace: what uml_net may change is the network of that namespace at most",
        "start it outside of the container, or without unshare -U");
  return ok("programs that this session starts can gain privilege");
}

}  // namespace umlnet::cli
