#include "uml_net/recorder/audit_log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>

#include "libumlnet/core/look_at_fd.h"
#include "uml_net/recorder/root_owned_file.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/retry_for.h"

namespace umlnet::audit {
namespace {

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

// Not there yet, or not its group's yet. Without the privilege of the installation it never will be.
bool is_being_rotated(int errnum) { return errnum == ENOENT || (errnum == EACCES && priv::has_net_admin()); }

Result<Log> Log::open(const std::string& path) {
  std::expected<unique_fd, Unusable> fd;
  retry_for(kRotationTakes, [&] {
    fd = open_root_owned_file(path, "audit log", O_RDWR | O_APPEND);
    return fd || !is_being_rotated(fd.error().errnum);
  });
  if (!fd) return unusable(std::move(fd.error().error.what), fd.error().error.advice, fd.error().error.errnum);
  if (const auto above = check_directories_above(path, "audit log"); !above)
    return unusable(above.error().what, above.error().advice, above.error().errnum);
  struct stat status{};
  if (!look_at_fd(fd->get(), status)) return unusable("cannot look at the audit log", {}, errno);
  return Log(*std::move(fd), path, status);
}

Result<void> Log::move_to(const unique_fd& file) {
  struct stat status{};
  if (!look_at_fd(file.get(), status) || !S_ISREG(status.st_mode) || status.st_uid != 0)
    return unusable("what was opened as the new audit log " + path_ + " is not a file of root's", {});
  if (::dup3(file.get(), fd_.get(), O_CLOEXEC) < 0)
    return unusable("cannot go on in the new audit log " + path_, {}, errno);
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
  return unusable("cannot write a whole line to the audit log " + path_, "Is the disk full?");
}

Result<std::size_t> Log::write(const std::string& text) {
  ssize_t written = -1;
  do {
    written = ::write(fd_.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) return unusable("cannot write to the audit log " + path_, "Is the disk full?", errno);
  return static_cast<std::size_t>(written);
}

}  // namespace umlnet::audit
