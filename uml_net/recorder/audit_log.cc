#include "uml_net/recorder/audit_log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>

#include "libumlnet/core/look_at_fd.h"
#include "libumlnet/core/root_owned.h"
#include "policy/location.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/recorder/pinned.h"
#include "uml_net/recorder/root_owned_file.h"
#include "uml_net/sys/keep_fds.h"
#include "uml_net/sys/retry_for.h"

namespace umlnet::audit {
namespace {

constexpr std::chrono::milliseconds kRotationTakes{2000};

constexpr const char* kPath = policy::kAuditLog;

// Whether the log cannot be opened because it is being rotated: the new one is not there yet, or not its group's yet.
// Without the privilege of the installation it never will be.
bool is_being_rotated(int errnum, bool is_privileged) {
  return errnum == ENOENT || (errnum == EACCES && is_privileged);
}

std::unexpected<Error> unusable(std::string what, const std::string& advice, int errnum = 0) {
  return fail_errno(Code::audit, errnum, std::move(what), "Nothing is granted without a record. " + advice);
}

// Whether a record that is added to `file` begins a line. A file grows page by page while another process writes a long
// line. So an end without a newline is a cut line's only where the file has not grown for a moment.
bool ends_in_newline(int file) {
  constexpr std::chrono::milliseconds kMoment{30};
  off_t size_at_first = -1;
  return retry_for(kMoment, [&] {
    struct stat status{};
    if (!look_at_fd(file, status) || status.st_size == 0) return true;
    if (size_at_first < 0) size_at_first = status.st_size;
    char last = '\n';
    return status.st_size != size_at_first || ::pread(file, &last, 1, status.st_size - 1) != 1 || last == '\n';
  });
}

}  // namespace

Result<Log> Log::open(bool is_privileged, std::function<bool()> is_over) {
  std::expected<unique_fd, Unusable> fd;
  retry_for(kRotationTakes, [&] {
    fd = open_root_owned_file(kPath, "audit log", O_RDWR | O_APPEND);
    return fd || !is_being_rotated(fd.error().errnum, is_privileged) || is_over();
  });
  if (!fd) return unusable(std::move(fd.error().error.what), fd.error().error.advice, fd.error().error.errnum);
  if (const auto above = check_directories_above(kPath, "audit log"); !above)
    return unusable(above.error().what, above.error().advice, above.error().errnum);
  struct stat status{};
  if (!look_at_fd(fd->get(), status)) return unusable("cannot look at the audit log", {}, errno);
  auto numbered = give_number(*std::move(fd), fd_number::kLog);
  if (!numbered) return unusable(std::move(numbered.error().what), numbered.error().advice, numbered.error().errnum);
  return Log(*std::move(numbered), is_privileged, std::move(is_over), status);
}

Result<void> Log::follow() {
  unique_fd there;
  struct stat status{};
  int error = 0;
  retry_for(kRotationTakes, [&] {
    there = open_pinned(kPinned.log.get(), kPinned.log_how);
    error = there && look_at_fd(there.get(), status) ? 0 : errno;
    return !is_being_rotated(error, is_privileged_) || is_over_();
  });
  // The directories above it were looked at when the log was opened first; only root can change what lies in them.
  if (error == 0 && why_not_roots(status, S_IFREG, S_IWOTH, true)) error = EPERM;
  if (error != 0)
    return fail_errno(Code::audit, error, std::string("cannot open the audit log ") + kPath + " again",
                      "Nothing is granted without a record.");
  if (status.st_dev == device_ && status.st_ino == inode_) return {};
  if (::dup3(there.get(), fd_.get(), O_CLOEXEC) < 0)
    return unusable(std::string("cannot go on in the new audit log ") + kPath, {}, errno);
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return {};
}

Result<void> Log::append(const std::string& line) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY)
    return unusable("a limit on the size of files is in force (ulimit -f), which could cut a line of the audit log",
                    "Start the program that calls uml_net without that limit.");
  struct stat status{};
  if (!look_at_fd(fd_.get(), status)) return unusable("cannot look at the audit log", {}, errno);
  if (status.st_dev != device_ || status.st_ino != inode_)
    return unusable("the descriptor of the audit log is another file's", {});
  if (status.st_nlink == 0)
    return unusable("the audit log that this session began with was removed meanwhile", "Begin a new session.");
  const auto text = ends_in_newline(fd_.get()) ? line : "\n" + line;
  const auto written = write(text);
  if (!written) return std::unexpected(written.error());
  if (*written == text.size()) return {};
  // The cut line is not taken back, because another line may follow it already. The next writer
  // begins a new line where this newline cannot be written either.
  [[maybe_unused]] const auto ended = write("\n");
  return unusable("cannot write a whole line to the audit log " + std::string(kPath), "Is the disk full?");
}

Result<std::size_t> Log::write(const std::string& text) {
  ssize_t written = -1;
  do {
    written = ::write(fd_.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) return unusable("cannot write to the audit log " + std::string(kPath), "Is the disk full?", errno);
  return static_cast<std::size_t>(written);
}

}  // namespace umlnet::audit
