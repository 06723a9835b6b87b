#include "uml_net/audit_log.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace umlnet::audit {
namespace {

constexpr std::string_view kNoGrant = "Nothing is granted without a record. ";

std::unexpected<Error> unusable(std::string what, std::string mend, int errnum = 0) {
  return fail_errno(Code::audit, errnum, std::move(what), std::string(kNoGrant) + std::move(mend));
}

int open_without_links(const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how));
}

Result<void> check(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return unusable("cannot look at the audit log " + path, {}, errno);
  if (S_ISLNK(status.st_mode))
    return unusable("the audit log " + path + " is a symbolic link", "Put a regular file of root's in its place.");
  if (!S_ISREG(status.st_mode)) return unusable("the audit log " + path + " is not a regular file", "Replace it.");
  if (status.st_uid != 0)
    return unusable("the audit log " + path + " belongs to uid " + std::to_string(status.st_uid) + " and not to root",
                    "chown root " + path);
  if (status.st_nlink != 1)
    return unusable("the audit log " + path + " has " + std::to_string(status.st_nlink) + " links",
                    "Remove the other names of the file.");
  if ((status.st_mode & S_IWOTH) != 0)
    return unusable("the audit log " + path + " is writable by everybody", "chmod o-w " + path);
  return {};
}

}  // namespace

Result<Log> Log::open(const std::string& path) {
  // First as a mere place, to look at what it is: opening a FIFO or a device has effects of its own.
  const unique_fd place(open_without_links(path, O_PATH));
  if (!place && errno == ENOENT)
    return unusable("the audit log " + path + " is not there",
                    "The administrator makes it: install -D -m 0600 /dev/null " + path);
  if (!place && errno == ELOOP)
    return unusable("the audit log " + path + " lies behind a symbolic link",
                    "Use directories only on the way to it, or build uml_net with -Daudit_log=PATH.");
  if (!place) return unusable("cannot open the audit log " + path, {}, errno);
  if (auto fit = check(place.get(), path); !fit) return std::unexpected(std::move(fit.error()));

  // Not O_CREAT: whoever could take the log away could otherwise have it made anew, empty.
  unique_fd fd(open_without_links(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY));
  if (!fd)
    return unusable("cannot open the audit log " + path,
                    "Installed with a file capability, uml_net writes it as its group: chgrp umlnet and chmod g+w.",
                    errno);
  // It may be another file than the one that was looked at.
  if (auto fit = check(fd.get(), path); !fit) return std::unexpected(std::move(fit.error()));
  return Log(std::move(fd), path);
}

Result<void> Log::append(const std::string& line) {
  ssize_t written = -1;
  do {
    written = ::write(fd_.get(), line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(line.size())) return {};
  if (written < 0) return unusable("cannot write to the audit log " + path_, "Is the disk full?", errno);

  // Half a line is worse than none: it would swallow the next. It is taken off if nobody wrote behind it since.
  const off_t end = ::lseek(fd_.get(), 0, SEEK_CUR);
  struct stat status{};
  if (end >= written && ::fstat(fd_.get(), &status) == 0 && status.st_size == end) {
    if (::ftruncate(fd_.get(), end - written) != 0) { /* the line stays torn; the refusal below says so */
    }
  }
  return unusable("cannot write a whole line to the audit log " + path_, "Is the disk full?");
}

}  // namespace umlnet::audit
