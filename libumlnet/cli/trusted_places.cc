#include "libumlnet/cli/trusted_places.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <string_view>

#include "libumlnet/cli/installed_helper.h"
#include "policy/decide.h"
#include "policy/location.h"

namespace umlnet::cli {
namespace {

constexpr const char* kTun = "/dev/net/tun";
constexpr const char* kMakeTun = "mkdir -p /dev/net && mknod /dev/net/tun c 10 200 && chmod 0666 /dev/net/tun";
constexpr const char* kJournal = "/run/systemd/journal/socket";
constexpr std::uint64_t kLongestLine = 4096;  // of the audit log, in bytes

bool is_hidden_errno(int number) { return number == EACCES || number == EPERM; }

gid_t group_of_helper(const Examination& examination) {
  const auto file = examination.host.look_at(examination.helper);
  return file ? file->gid : 0;
}

// The command that makes the audit log or a file beside it, as an installation does.
std::string make(const Examination& examination, const std::string& log = policy::kAuditLog) {
  const auto directory = log.substr(0, log.rfind('/'));
  const bool filecap = installation_of(examination) == Installation::filecap;
  const auto accounts = examination.host.accounts();
  const bool has_group = accounts && accounts->memberships.group_id(policy::kLogGroup);
  std::string group;
  if (filecap || has_group)
    group = " -g " + (filecap ? group_name(examination.host, group_of_helper(examination)) : policy::kLogGroup);
  return "install -d -m 0750" + group + " " + directory + " && install -m " + (filecap ? "0660" : "0640") + group +
         " /dev/null " + log;
}

// Whether the helper, which is neither root nor the owner, gets `wanted` (4 read, 2 write, 1 search) by its group or as
// one of all.
bool helper_may(const Examination& examination, const FileFacts& file, mode_t wanted) {
  const mode_t bits = file.gid == group_of_helper(examination) ? file.mode >> 3 : file.mode;
  return (bits & wanted) == wanted;
}

// Nothing where the directory is as it must be.
std::optional<Finding> examine_directory(const Examination& examination, const std::string& path) {
  const auto file = examination.host.look_at(path);
  if (!file && is_hidden_errno(file.error().errnum)) return cannot_tell("this user may not look at " + path);
  if (!file && file.error().errnum == ENOENT)
    return problem("the directory " + path + " of the audit log is not there", make(examination));
  if (!file) return problem(file.error().line(), "see to what lies there");
  if (S_ISLNK(file->mode))
    return problem(path + ", on the way to the audit log, is a symbolic link",
                   "make it a directory, or build with -Daudit_log=PATH");
  if (!S_ISDIR(file->mode)) return problem(path + " is not a directory", make(examination));
  if (file->uid != 0)
    return problem("the directory " + path + ", on the way to the audit log, belongs to uid " +
                       std::to_string(file->uid) + " and not to root",
                   "chown root " + path);
  // As uml_net/recorder/root_owned_file.cc: a group of the system's may write to a directory above.
  const bool is_own =
      path == std::string_view(policy::kAuditLog).substr(0, std::string_view(policy::kAuditLog).rfind('/'));
  if ((file->mode & S_IWOTH) != 0 || ((file->mode & S_IWGRP) != 0 && (is_own || file->gid >= 1000)))
    return problem("the directory " + path + ", on the way to the audit log, is writable by group or others",
                   "chmod go-w " + path);
  if (installation_of(examination) == Installation::filecap && !helper_may(examination, *file, 1))
    return problem(
        "uml_net has a file capability, and its group may not pass through " + path,
        "chgrp " + group_name(examination.host, group_of_helper(examination)) + " " + path + " && chmod g+x " + path);
  return std::nullopt;
}

// Nothing where the file is one that the helper writes to.
std::optional<Finding> examine_record(const Examination& examination, const std::string& path,
                                      const std::string& name) {
  const auto file = examination.host.look_at(path);
  if (!file && is_hidden_errno(file.error().errnum)) return cannot_tell("this user may not look at " + path);
  if (!file && file.error().errnum == ENOENT) return problem(name + " is not there", make(examination, path));
  if (!file) return problem(file.error().line(), "see to what lies there");
  if (!S_ISREG(file->mode))
    return problem(name + (S_ISLNK(file->mode) ? " is a symbolic link" : " is not a regular file"),
                   "mv " + path + " " + path + ".not && " + make(examination, path));
  if (file->uid != 0)
    return problem(name + " belongs to uid " + std::to_string(file->uid) + " and not to root", "chown root " + path);
  if (file->links != 1)
    return problem(name + " has " + std::to_string(file->links) + " names",
                   "find / -xdev -samefile " + path + " shows them; remove the others");
  if ((file->mode & S_IWOTH) != 0) return problem(name + " is writable by everybody", "chmod o-w " + path);
  if ((file->mode & S_IWGRP) != 0 && group_name(examination.host, file->gid) == policy::kGroup)
    return problem(name + " is writable by the group " + policy::kGroup + ", whose members may run uml_net",
                   "meson install -C build");
  if (installation_of(examination) == Installation::filecap && !helper_may(examination, *file, 6)) {
    const auto group = group_name(examination.host, group_of_helper(examination));
    return problem(name + " is not " + (helper_may(examination, *file, 2) ? "readable" : "writable") +
                       " by the group of uml_net, which has a file capability",
                   "chgrp " + group + " " + path + " && chmod g+rw " + path);
  }
  if (installation_of(examination) != Installation::filecap && (file->mode & S_IWUSR) == 0)
    return problem(name + " is not writable by its owner", "chmod u+w " + path);
  return std::nullopt;
}

}  // namespace

Finding examine_tun(const Examination& examination) {
  const auto file = examination.host.look_at(kTun);
  if (!file && file.error().errnum == ENOENT)
    return problem("/dev/net/tun is not there", std::string("modprobe tun; where that does not help: ") + kMakeTun);
  if (!file) return cannot_tell(file.error().line());
  if (!S_ISCHR(file->mode) || file->device != makedev(10, 200))
    return problem("/dev/net/tun is not the tun driver's device", std::string("rm -f /dev/net/tun && ") + kMakeTun);
  const int error = examination.host.error_of_opening(kTun);
  if (error == ENODEV || error == ENXIO || error == ENOENT)
    return problem("/dev/net/tun is there, and the tun driver is not loaded", "modprobe tun");
  if (error == EPERM)
    return problem("/dev/net/tun is there, and this session may not use it, as in a container",
                   "start the container with --device=/dev/net/tun");

  constexpr mode_t kReadWrite = 6;
  if ((file->mode & kReadWrite) == kReadWrite) return ok("/dev/net/tun is open to all, so either installation works");
  switch (installation_of(examination)) {
    case Installation::setuid:
      if (file->uid == 0 && (file->mode & (S_IRUSR | S_IWUSR)) == (S_IRUSR | S_IWUSR))
        return ok("/dev/net/tun is closed to users, which a set-user-ID uml_net does not mind");
      return problem("/dev/net/tun cannot be opened by root without capabilities",
                     "chown root /dev/net/tun && chmod 0666 /dev/net/tun");
    case Installation::filecap:
      if (helper_may(examination, *file, kReadWrite)) return ok("/dev/net/tun is open to the group of uml_net");
      return problem("/dev/net/tun is closed to users, and a uml_net with a file capability opens it as its caller",
                     "chmod 0666 /dev/net/tun; or install uml_net set-user-ID root: meson configure build "
                     "-Dprivilege=setuid && meson install -C build");
    case Installation::none:
    case Installation::missing: break;
  }
  return warning("/dev/net/tun is closed to users: only a uml_net that is set-user-ID root works",
                 "chmod 0666 /dev/net/tun, for one with a file capability");
}

Finding examine_policy(const Examination& examination) {
  const auto facts = examination.host.policy();
  if (!facts && is_hidden_errno(facts.error().errnum)) return cannot_tell(facts.error().line());
  if (!facts)
    return problem("nobody is granted anything: " + facts.error().line(),
                   facts.error().advice.contains("mends it: ")
                       ? facts.error().advice.substr(facts.error().advice.find("mends it: ") + 10)
                       : "mend it there; umlnet policy check says whether it is right");
  if (!facts->policy.present)
    return warning("there is no policy, so only root is served",
                   std::string("install -m 0644 " UMLNET_EXAMPLES "/policy.json ") + policy::kPolicyFile +
                       ", and change it to what you mean");
  const auto rules =
      std::to_string(facts->policy.rules.size()) + (facts->policy.rules.size() == 1 ? " rule" : " rules");
  if (facts->warnings != 0)
    return warning(
        rules + ", right, with " + std::to_string(facts->warnings) + (facts->warnings == 1 ? " warning" : " warnings"),
        "umlnet policy check");
  return ok(rules + ", right");
}

Finding examine_rules(const Examination& examination) {
  const auto facts = examination.host.policy();
  if (!facts) return cannot_tell("the policy cannot be read, or is wrong", "see policy");
  const auto viewer = examination.host.viewer();
  const auto who = viewer.user ? *viewer.user : "uid " + std::to_string(viewer.uid);
  // Of no device in particular: what is asked is whether there is a rule at all.
  const auto decision = policy::decide(facts->policy, viewer, MakeTap{}, {});
  if (decision) return ok(who + " may have a device: " + decision->reason());
  return warning(who + " gets no device: " + decision.error().error.what,
                 "umlnet policy explain tuntap says what each rule makes of it");
}

Finding examine_audit_log(const Examination& examination) {
  const std::string log = policy::kAuditLog;
  for (auto slash = log.find('/', 1); slash != std::string::npos; slash = log.find('/', slash + 1))
    if (auto finding = examine_directory(examination, log.substr(0, slash))) return *std::move(finding);
  if (auto finding = examine_record(examination, log, "the audit log " + log)) return *std::move(finding);

  const auto filesystem = examination.host.filesystem_of(log);
  if (!filesystem) return cannot_tell(filesystem.error().line());
  if (filesystem->read_only)
    return problem("the file system of the audit log is read-only",
                   "mount -o remount,rw \"$(findmnt -no TARGET -T " + log + ")\"");
  if (filesystem->free < kLongestLine)
    return problem("the file system of the audit log is full",
                   "make room: df -h " + log + "; logrotate -f /etc/logrotate.conf");
  const auto accounts = examination.host.accounts();
  const auto group = accounts ? accounts->memberships.group_id(policy::kLogGroup) : std::nullopt;
  if (group && accounts->memberships.has_members(*group))
    return warning(
        std::string("the group ") + policy::kLogGroup + " has members, who can get at the audit log",
        std::string("getent group ") + policy::kLogGroup + " shows them; gpasswd -d USER " + policy::kLogGroup);
  return ok("the audit log " + log + " can be written to");
}

Finding examine_refusals(const Examination& examination) {
  const std::string path = policy::kRefusals;
  auto finding = examine_record(examination, path, "the count of refusals " + path);
  if (!finding) return ok("refused requests are counted, so that a flood of them does not fill the audit log");
  // Without it, each process counts for itself.
  if (finding->health == Health::problem) {
    finding->health = Health::warning;
    finding->found += ": a flood of refused requests would all be in the audit log";
  }
  return *std::move(finding);
}

Finding examine_journal(const Examination& examination) {
  const auto facts = examination.host.policy();
  if (!facts) return cannot_tell("the policy cannot be read, or is wrong", "see policy");
  if (!facts->policy.journald) return ok("the policy sends no copy of the audit log to journald");
  const auto socket = examination.host.look_at(kJournal);
  if (socket && S_ISSOCK(socket->mode) && socket->uid == 0) return ok("journald takes a copy of the audit log");
  return warning("the policy sends a copy of the audit log to journald, and " + std::string(kJournal) +
                     (socket ? " is no socket of root's" : " is not there"),
                 "systemctl start systemd-journald.socket, or take \"journald\" out of the policy");
}

}  // namespace umlnet::cli
