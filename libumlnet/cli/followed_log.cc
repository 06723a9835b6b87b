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
    if (auto settled = LogFile::open(old)) settled_.push_back(*std::move(settled));
}

// The file at the path, where it is another now; and any that were there and rotated away between two looks.
void FollowedLog::find_new_files() {
  const auto is_in = [](const std::list<LogFile>& files, const LogFile::Identity& identity) {
    return std::ranges::find(files, identity, &LogFile::identity) != files.end();
  };
  const auto now = identity_at(path_);
  if (!now || is_in(files_, *now)) return;
  auto paths = rotated_logs(path_, Microseconds::min()).plain;
  std::erase_if(paths, [&](const std::string& path) {
    const auto identity = identity_at(path);
    return !identity || is_in(settled_, *identity) || is_in(files_, *identity);
  });
  paths.push_back(path_);
  for (const auto& path : paths)
    if (auto file = LogFile::open(path)) files_.push_back(*std::move(file));
}

Outcome<void> FollowedLog::read_on(const Each& each) {
  find_new_files();
  for (auto& file : files_)
    if (auto read = file.read_on([&](const LogFile::Line& line) { each(file, line); }); !read) return read;
  // What has no name any more was compressed or removed: nobody keeps what is still written to it.
  settled_.remove_if([](const LogFile& file) { return file.is_deleted(); });
  while (files_.size() > 1 && files_.front().is_deleted()) files_.pop_front();
  if (files_.size() > kMostFiles) settled_.splice(settled_.end(), files_, files_.begin());
  return {};
}

}  // namespace umlnet::cli
