#include "libumlnet/cli/followed_log.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "libumlnet/cli/rotated_logs.h"

namespace umlnet::cli {
namespace {

constexpr std::size_t kMostFiles = 8;  // that are read at a time

std::optional<LogFile::Identity> identity_at(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return LogFile::Identity{status.st_dev, status.st_ino};
}

}  // namespace

FollowedLog::FollowedLog(std::string path, LogFile file) : path_(std::move(path)) {
  files_.push_back(std::move(file));
  for (const auto& old : rotated_logs(path_, Microseconds::min()).plain)
    if (const auto identity = identity_at(old)) settled_.insert(*identity);
}

// The file at the path, where it is another now; and any that were there and rotated away between two looks.
void FollowedLog::find_new_files() {
  const auto is_open = [&](const LogFile::Identity& identity) {
    return std::ranges::find(files_, identity, &LogFile::identity) != files_.end();
  };
  // The files that are open keep their numbers to themselves, so an equal number is the same file.
  const auto now = identity_at(path_);
  if (!now || is_open(*now)) return;
  auto paths = rotated_logs(path_, Microseconds::min()).plain;
  std::erase_if(paths, [&](const std::string& path) {
    const auto identity = identity_at(path);
    return !identity || settled_.contains(*identity) || is_open(*identity);
  });
  paths.push_back(path_);
  for (const auto& path : paths)
    if (auto file = LogFile::open(path)) files_.push_back(*std::move(file));
}

Outcome<void> FollowedLog::read_on(const Each& each) {
  find_new_files();
  for (auto& file : files_)
    if (auto read = file.read_on([&](const LogFile::Line& line) { each(file, line); }); !read) return read;
  // A file that has no name any more, and whose writers had time to end, gets nothing new that anybody could keep.
  while (files_.size() > 1 && (files_.size() > kMostFiles || files_.front().is_deleted())) {
    settled_.insert(files_.front().identity());
    files_.pop_front();
  }
  return {};
}

}  // namespace umlnet::cli
