#include "uml_net/recorder/root_owned_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "libumlnet/core/root_owned.h"
#include "policy/location.h"

namespace umlnet {
namespace {

// errno is read once, before anything else can change it.
std::unexpected<Unusable> unusable(std::string what, std::string mend, int errnum = 0, bool shown = true) {
  return std::unexpected(Unusable{{Code::audit, shown ? errnum : 0, std::move(what), std::move(mend)}, errnum});
}

int open_without_links(const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how));
}

std::expected<void, Unusable> check(int fd, const std::string& name, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return unusable("cannot look at " + name, {}, errno);
  const auto why = why_not_roots(status, S_IFREG, S_IWOTH, true);
  if (!why) return {};
  switch (*why) {
    case NotRoots::is_link: return unusable(name + " is a symbolic link", "Put a regular file of root's in its place.");
    case NotRoots::other_type: return unusable(name + " is not a regular file", "Replace it.");
    case NotRoots::other_owner:
      return unusable(name + " belongs to uid " + std::to_string(status.st_uid) + " and not to root",
                      "chown root " + path);
    case NotRoots::several_links:
      return unusable(name + " has " + std::to_string(status.st_nlink) + " links",
                      "Remove the other names of the file.");
    case NotRoots::writable: break;
  }
  return unusable(name + " is writable by everybody", "chmod o-w " + path);
}

// Groups of the system have lower numbers. That of syslog may write to /var/log on some distributions.
bool is_users_group(gid_t group) { return group >= 1000; }

}  // namespace

Result<void> check_directories_above(const std::string& path, const std::string& name) {
  const auto own = path.rfind('/');
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string directory = slash == 0 ? "/" : path.substr(0, slash);
    const unique_fd fd(open_without_links(directory, O_PATH | O_DIRECTORY));
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0)
      return fail_errno(Code::audit, errno, "cannot look at the directory " + directory);
    const auto untrusted = [&](const std::string& what, const std::string& advice) {
      std::string text = "the directory " + directory;
      text.append(", on the way to the ").append(name).append(", ").append(what);
      return fail(Code::audit, std::move(text), advice);
    };
    const bool is_group_trusted = slash != own && !is_users_group(status.st_gid);
    const auto why = why_not_roots(status, S_IFDIR, is_group_trusted ? S_IWOTH : S_IWGRP | S_IWOTH, false);
    if (why == NotRoots::other_owner)
      return untrusted("belongs to uid " + std::to_string(status.st_uid) + " and not to root",
                       "chown root " + directory);
    if (why) return untrusted("is writable by group or others", "chmod go-w " + directory);
  }
  return {};
}

std::expected<unique_fd, Unusable> open_root_owned_file(const std::string& path, const std::string& what, int flags) {
  const std::string name = "the " + what + " " + path;
  // Not O_CREAT: whoever could take the file away could otherwise have it made anew, empty.
  unique_fd fd(open_without_links(path, flags | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    const int errnum = errno;
    if (errnum == ENOENT)
      return unusable(name + " is not there",
                      std::string("The administrator makes it: install -D -m ") + (::geteuid() == 0 ? "0640" : "0660") +
                          " -g " + policy::kLogGroup + " /dev/null " + path,
                      ENOENT, false);
    // What is wrong with it is said before the kernel's number.
    if (const unique_fd place(open_without_links(path, O_PATH)); place) {
      if (auto fit = check(place.get(), name, path); !fit) return std::unexpected(std::move(fit.error()));
    } else if (errno == ELOOP) {
      return unusable(name + " lies behind a symbolic link",
                      "Use directories only on the way to it, or build uml_net with -Daudit_log=PATH.", ELOOP, false);
    }
    return unusable("cannot open " + name,
                    errnum == EACCES || errnum == EPERM
                        ? std::string("Installed with a file capability, uml_net writes it as its group: chgrp ") +
                              policy::kLogGroup + " " + path + " && chmod g+rw " + path
                        : "",
                    errnum);
  }
  if (auto fit = check(fd.get(), name, path); !fit) return std::unexpected(std::move(fit.error()));
  return fd;
}

}  // namespace umlnet
