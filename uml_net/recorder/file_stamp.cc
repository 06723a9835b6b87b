#include "uml_net/recorder/file_stamp.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "libumlnet/core/look_at_fd.h"

namespace umlnet {

void FileStamp::add_directory(const char* path) {
  unique_fd fd(::open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (fd && look_at_fd(fd.get(), status)) all_.push_back({std::move(fd), status});
}

void FileStamp::add_file(unique_fd fd, const struct stat& status) { all_.push_back({std::move(fd), status}); }

bool FileStamp::is_current() const {
  return std::ranges::all_of(all_, [](const Noted& noted) {
    struct stat now{};
    return look_at_fd(noted.fd.get(), now) && is_unchanged(noted.status, now);
  });
}

bool is_unchanged(const struct stat& before, const struct stat& now) {
  return before.st_ctim.tv_sec == now.st_ctim.tv_sec && before.st_ctim.tv_nsec == now.st_ctim.tv_nsec &&
         before.st_mtim.tv_sec == now.st_mtim.tv_sec && before.st_mtim.tv_nsec == now.st_mtim.tv_nsec &&
         before.st_size == now.st_size && before.st_nlink == now.st_nlink;
}

}  // namespace umlnet
