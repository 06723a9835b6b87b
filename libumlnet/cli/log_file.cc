#include "libumlnet/cli/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "libumlnet/cli/user_names.h"

namespace umlnet::cli {
namespace {

constexpr std::size_t kPortion = 65536;
constexpr std::size_t kRemembered = 128;  // bytes of the last line

// Who may read it, as far as that can be seen.
std::string why_forbidden(const std::string& path) {
  std::string text = "It says who asked for what, and is not for everybody.";
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  for (const auto& [what, place] : {std::pair("It", path), std::pair("Its directory", directory)}) {
    struct stat status{};
    if (::stat(place.c_str(), &status) != 0) continue;
    char mode[16];
    std::snprintf(mode, sizeof mode, "%04o", status.st_mode & 07777);
    text += std::string(" ") + what + " belongs to user " + user_text(status.st_uid) + " and group " +
            group_text(status.st_gid) + ", with mode " + mode + ".";
    break;
  }
  return text + "\nRun this as root: sudo umlnet log ...";
}

}  // namespace

Outcome<LogFile> LogFile::open(const std::string& path) {
  unique_fd fd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                           : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) {
    const int why = errno;
    const bool forbidden = why == EACCES || why == EPERM;
    auto failed = trouble_errno(forbidden ? EX_NOPERM : EX_NOINPUT, "cannot read " + path, why);
    if (forbidden) failed.error().text += "\n" + why_forbidden(path);
    return failed;
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return trouble_errno(EX_OSERR, "cannot read " + path, errno);
  if (S_ISDIR(status.st_mode)) return trouble_errno(EX_NOINPUT, "cannot read " + path, EISDIR);
  LogFile file(path == "-" ? "stdin" : path, std::move(fd));
  file.identity_ = {status.st_dev, status.st_ino};
  file.regular_ = S_ISREG(status.st_mode);
  if (file.regular_) file.taken_ = std::max<off_t>(0, ::lseek(file.fd_.get(), 0, SEEK_CUR));
  return file;
}

bool LogFile::is_deleted() const {
  struct stat status{};
  return ::fstat(fd_.get(), &status) == 0 && status.st_nlink == 0;
}

// A log that is cut (copytruncate) is shorter than what was read of it, unless it has grown again meanwhile: then
// another line stands where the last one was.
void LogFile::begin_anew_where_replaced() {
  struct stat status{};
  bool replaced = ::fstat(fd_.get(), &status) == 0 && status.st_size < taken_;
  if (!replaced && !last_line_.empty()) {
    std::string there(last_line_.size(), '\0');
    const auto size = ::pread(fd_.get(), there.data(), there.size(), taken_ - static_cast<off_t>(there.size()));
    replaced = size >= 0 && there != last_line_;
  }
  if (!replaced) return;
  taken_ = 0;
  lines_ = 0;
  last_line_.clear();
  skipping_ = false;
}

// False at the end of the file.
Outcome<bool> LogFile::fill() {
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kPortion);
  ssize_t size = -1;
  do {
    size = regular_ ? ::pread(fd_.get(), buffer_.data() + before, kPortion, taken_ + static_cast<off_t>(before))
                    : ::read(fd_.get(), buffer_.data() + before, kPortion);
  } while (size < 0 && errno == EINTR);
  const int why = errno;
  buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (size < 0) return trouble_errno(EX_IOERR, "cannot read " + path_, why);
  return size > 0;
}

void LogFile::take_lines(const Each& each) {
  std::size_t begin = 0;
  for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n', begin)) {
    const auto text = std::string_view(buffer_).substr(begin, end - begin);
    ++lines_;
    // Of a line that was skipped its beginning has been told of.
    if (!std::exchange(skipping_, false)) each({text, lines_, text.size() <= kLongestLine});
    const auto start = end + 1 - std::min(end + 1 - begin, kRemembered);
    last_line_.assign(buffer_, start, end + 1 - start);
    begin = end + 1;
  }
  taken_ += static_cast<off_t>(begin);
  buffer_.erase(0, begin);
  if (buffer_.size() <= kLongestLine && !skipping_) return;
  if (!skipping_) each({std::string_view(buffer_).substr(0, kRemembered), lines_ + 1, false});
  skipping_ = true;
  taken_ += static_cast<off_t>(buffer_.size());
  buffer_.clear();
  last_line_.clear();
}

Outcome<void> LogFile::read_on(const Each& each) {
  if (regular_) {
    begin_anew_where_replaced();
    buffer_.clear();  // what is no line yet may have changed
  }
  for (;;) {
    const auto more = fill();
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
    take_lines(each);
  }
}

void LogFile::read_rest(const Each& each) {
  if (!buffer_.empty()) each({buffer_, lines_ + 1, false});
  buffer_.clear();
}

}  // namespace umlnet::cli
