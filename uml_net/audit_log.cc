#include "uml_net/audit_log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>

#include "uml_net/look_at_fd.h"
#include "uml_net/priv/capability.h"
#include "uml_net/roots_file.h"
#include "uml_net/try_for.h"

namespace umlnet::audit {
namespace {

constexpr int kFlags = O_NONBLOCK;  // of the open file, besides O_APPEND; the seccomp filter knows both

std::unexpected<Error> unusable(std::string what, const std::string& mend, int errnum = 0) {
  return fail_errno(Code::audit, errnum, std::move(what), "Nothing is granted without a record. " + mend);
}

}  // namespace

// Not there yet, or not its group's yet. Without the privilege of the installation it never will be.
bool is_being_rotated(int errnum) { return errnum == ENOENT || (errnum == EACCES && priv::has_net_admin()); }

Result<Log> Log::open(const std::string& path) {
  std::expected<unique_fd, Unusable> fd;
  try_for(kRotationTakes, [&] {
    fd = open_roots_file(path, "audit log", O_WRONLY | O_APPEND);
    return fd || !is_being_rotated(fd.error().errnum);
  });
  if (fd) return Log(*std::move(fd), path);
  auto& error = fd.error().error;
  return unusable(std::move(error.what), error.advice, error.errnum);
}

Result<void> Log::move_to(const unique_fd& file) {
  if (::dup3(file.get(), fd_.get(), O_CLOEXEC) < 0)
    return unusable("cannot go on in the new audit log " + path_, {}, errno);
  appends_ = true;
  return {};
}

Result<void> Log::append(const std::string& line) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY)
    return unusable("a limit on the size of files is in force (ulimit -f), which could cut a line of the audit log",
                    "Start the program that calls uml_net without that limit.");
  if (!appends_) return unusable("the audit log " + path_ + " is not open for appending any more", {});
  struct stat status{};
  if (!look_at_fd(fd_.get(), status)) return unusable("cannot look at the audit log", {}, errno);
  if (status.st_nlink == 0)
    return unusable("the audit log that this session began with was removed meanwhile", "Begin a new session.");
  ssize_t written = -1;
  do {
    written = ::write(fd_.get(), line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(line.size())) return {};
  if (written < 0) return unusable("cannot write to the audit log " + path_, "Is the disk full?", errno);

  // Half a line is worse than none: it would swallow the next. It cannot be cut off again, because somebody may have
  // written behind it, and would lose his line. But where it stands nobody else ever writes.
  const off_t end = ::lseek(fd_.get(), 0, SEEK_CUR);
  if (end >= written) blank(end - written, static_cast<std::size_t>(written));
  return unusable("cannot write a whole line to the audit log " + path_, "Is the disk full?");
}

// An empty object and its newline; where there is no room for that, spaces, which JSON allows before the next object.
void Log::blank(off_t start, std::size_t size) {
  std::string blanks(size, ' ');
  if (size >= 3) {
    blanks.front() = '{';
    blanks[size - 2] = '}';
    blanks.back() = '\n';
  }
  // On Linux, pwrite() to a file that is open for appending appends.
  if (::fcntl(fd_.get(), F_SETFL, kFlags) != 0) return;
  while (::pwrite(fd_.get(), blanks.data(), size, start) < 0 && errno == EINTR) {
  }
  appends_ = ::fcntl(fd_.get(), F_SETFL, kFlags | O_APPEND) == 0;
}

}  // namespace umlnet::audit
