#include "policy/files/trusted_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "libumlnet/core/look_at_fd.h"
#include "libumlnet/core/root_owned.h"
#include "policy/location.h"

namespace umlnet {
namespace {

constexpr int kReadTries = 10;

std::unexpected<Error> untrusted(std::string what, const std::string& mend) {
  return fail(Code::bad_policy, std::move(what),
              "Nobody is granted anything until the administrator mends it: " + mend);
}

std::string name_of(mode_t type) {
  switch (type) {
    case S_IFDIR: return "a directory";
    case S_IFSOCK: return "a socket";
    default: return "a regular file";
  }
}

// Nobody but root may have a say in what `fd`, which is `path`, holds.
Result<void> check_owner(int fd, const std::string& path, mode_t type) {
  struct stat status{};
  if (!look_at_fd(fd, status)) return fail_errno(Code::bad_policy, errno, "cannot look at " + path);
  const auto why = why_not_roots(status, type, type == S_IFSOCK ? 0 : S_IWGRP | S_IWOTH, false);
  if (!why) return {};
  switch (*why) {
    case NotRoots::is_link:
      return untrusted(path + " is a symbolic link", "put a file or directory of root's in its place.");
    case NotRoots::other_owner:
      return untrusted(path + " belongs to uid " + std::to_string(status.st_uid) + " and not to root",
                       "chown root " + path);
    case NotRoots::writable: return untrusted(path + " is writable by group or others", "chmod go-w " + path);
    default: return untrusted(path + " is not " + name_of(type), "replace it.");
  }
}

bool is_absent(int error) { return error == ENOENT; }

bool same_state(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

// Walks down from "/", looking at every directory on the way. "" is "/".
Result<std::optional<int>> TrustedPlaces::directory(const std::string& path, int flags) {
  if (const auto known = directories_.find(path); known != directories_.end()) return known->second.get();
  unique_fd place;
  if (path.empty()) {
    place = unique_fd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!place) return fail_errno(Code::bad_policy, errno, "cannot open /");
    if (auto checked = check_owner(place.get(), "/", S_IFDIR); !checked) return std::unexpected(checked.error());
  } else {
    auto reached = reach(path, flags, S_IFDIR);
    if (!reached) return std::unexpected(std::move(reached.error()));
    if (!*reached) return std::nullopt;
    place = **std::move(reached);
  }
  return directories_.emplace(path, std::move(place)).first->second.get();
}

Result<std::optional<unique_fd>> TrustedPlaces::reach(const std::string& path, int flags, mode_t type) {
  const auto slash = path.rfind('/');
  const auto above = directory(path.substr(0, slash), O_PATH);
  if (!above) return std::unexpected(above.error());
  if (!*above) return std::nullopt;
  const char* last = path.c_str() + slash + 1;
  // Opening a FIFO or a device could have effects of its own. But here it is root's doing, and waits for nobody.
  unique_fd file(::openat(**above, last, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && is_absent(errno)) return std::nullopt;
  if (!file) {
    const int errnum = errno;
    // A link, a socket: what is wrong with it is said before the kernel's number.
    if (const unique_fd place(::openat(**above, last, O_PATH | O_NOFOLLOW | O_CLOEXEC)); place)
      if (auto checked = check_owner(place.get(), path, type); !checked) return std::unexpected(checked.error());
    return fail_errno(Code::bad_policy, errnum, "cannot open " + path,
                      std::string("Installed with a file capability, uml_net reads it as its group: chgrp ") +
                          policy::kLogGroup + " " + path + " && chmod g+r " + path);
  }
  if (auto checked = check_owner(file.get(), path, type); !checked) return std::unexpected(checked.error());
  return file;
}

Result<std::optional<unique_fd>> TrustedPlaces::open(const std::string& path) { return reach(path, O_RDONLY, S_IFREG); }

Result<void> TrustedPlaces::check_socket(const std::string& path) {
  const auto found = reach(path, O_PATH, S_IFSOCK);
  if (!found) return std::unexpected(found.error());
  if (!*found) return fail_errno(Code::audit, ENOENT, "there is no " + path);
  return {};
}

Result<std::optional<unique_fd>> open_trusted(const std::string& path) { return TrustedPlaces().open(path); }

Result<void> check_trusted_socket(const std::string& path) { return TrustedPlaces().check_socket(path); }

Result<void> check_trusted_file(int fd, const std::string& path) { return check_owner(fd, path, S_IFREG); }

Result<std::string> read_whole(int fd, const std::string& path, std::size_t limit, struct stat* status) {
  for (int tries = 0; tries < kReadTries; ++tries) {
    struct stat before{}, after{};
    if (!look_at_fd(fd, before)) return fail_errno(Code::bad_policy, errno, "cannot look at " + path);
    // As long as it was when it was looked at: if it has grown since, that shows below. One byte over the limit is
    // enough.
    const auto wanted = std::min(static_cast<std::size_t>(std::max<off_t>(before.st_size, 0)), limit + 1);
    std::string text;
    ssize_t size = 0;
    text.resize_and_overwrite(wanted, [&](char* bytes, std::size_t room) {
      std::size_t have = 0;
      while (have < room && (size = ::pread(fd, bytes + have, room - have, static_cast<off_t>(have))) > 0)
        have += static_cast<std::size_t>(size);
      return have;
    });
    if (size < 0) return fail_errno(Code::bad_policy, errno, "cannot read " + path);
    if (text.size() > limit)
      return untrusted(path + " is longer than " + std::to_string(limit) + " bytes", "shorten it.");
    if (!look_at_fd(fd, after) || !same_state(before, after)) continue;
    if (status != nullptr) *status = after;
    return text;
  }
  return fail(Code::bad_policy, path + " is being written to without a pause",
              "Write a new file beside it and rename it into its place.");
}

Result<std::vector<std::string>> TrustedPlaces::list(const std::string& path, std::string_view suffix) {
  const auto opened = directory(path, O_RDONLY | O_DIRECTORY);
  if (!opened) return std::unexpected(opened.error());
  std::vector<std::string> names;
  if (!*opened) return names;
  if (::lseek(**opened, 0, SEEK_SET) != 0) return fail_errno(Code::bad_policy, errno, "cannot list " + path);
  alignas(dirent64) char entries[1024];
  ssize_t size = 0;
  while ((size = ::getdents64(**opened, entries, sizeof entries)) > 0)
    for (ssize_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
      const std::string_view name = entry->d_name;
      if (!name.starts_with('.') && name.ends_with(suffix)) names.emplace_back(name);
      at += entry->d_reclen;
    }
  if (size < 0) return fail_errno(Code::bad_policy, errno, "cannot list " + path);
  std::ranges::sort(names);
  return names;
}

}  // namespace umlnet
