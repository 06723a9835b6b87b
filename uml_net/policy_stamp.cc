#include "uml_net/policy_stamp.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

#include "policy/location.h"
#include "uml_net/look_at_fd.h"

namespace umlnet {
namespace {

// The filter compares addresses, so each path is one object.
constexpr const char* kDirectories[] = {policy::kPolicyRoot, policy::kPolicyDirectory};
constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

bool is_same_time(const timespec& one, const timespec& other) {
  return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

bool is_of_the_policy(std::string_view name) {
  return name == last_part(policy::kPolicyDirectory) || (!name.starts_with('.') && name.ends_with(".json"));
}

PolicyStamp::Names PolicyStamp::list(const char* directory) {
  Names found;
  const unique_fd fd(::open(directory, kFlags));
  if (!fd && errno == ENOENT) return found;
  alignas(dirent64) std::array<char, 2048> entries;
  ssize_t size = -1;
  while (fd && (size = ::getdents64(fd.get(), entries.data(), entries.size())) > 0)
    for (ssize_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries.data() + at);
      at += entry->d_reclen;
      if (is_of_the_policy(entry->d_name)) found.emplace_back(entry->d_name, entry->d_ino);
    }
  // No file has that name: what cannot be read through is never the same as before.
  if (size < 0) found.emplace_back("/", static_cast<ino_t>(errno));
  std::ranges::sort(found);
  return found;
}

PolicyStamp::Names PolicyStamp::list() {
  Names all;
  for (const char* directory : kDirectories) std::ranges::move(list(directory), std::back_inserter(all));
  return all;
}

Result<PolicyStamp> PolicyStamp::take() {
  PolicyStamp stamp;
  for (const char* directory : kDirectories)
    for (auto& [name, inode] : list(directory)) {
      File file{unique_fd(::open((std::string(directory) + "/" + name).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)), {}};
      struct stat status{};
      if (!file.fd || !look_at_fd(file.fd.get(), status))
        return fail_errno(Code::kernel, errno, std::string("cannot keep an eye on ") + directory + "/" + name);
      stamp.names_.emplace_back(std::move(name), inode);
      if (S_ISDIR(status.st_mode)) continue;  // whatever lies in it is listed
      file.changed = status.st_ctim;
      stamp.files_.push_back(std::move(file));
    }
  return stamp;
}

bool PolicyStamp::is_current() const {
  const auto is_unchanged = [](const File& file) {
    struct stat status{};
    return look_at_fd(file.fd.get(), status) && is_same_time(status.st_ctim, file.changed);
  };
  return list() == names_ && std::ranges::all_of(files_, is_unchanged);
}

void PolicyStamp::allow(SeccompFilter& filter) {
  using Where = SeccompFilter::Where;
  for (const char* directory : kDirectories)
    filter.allow(SYS_openat, {Where::equals(1, reinterpret_cast<std::uint64_t>(directory)), Where::equals(2, kFlags)});
  filter.allow(SYS_getdents64).allow(SYS_fstat).allow(SYS_close);
}

}  // namespace umlnet
