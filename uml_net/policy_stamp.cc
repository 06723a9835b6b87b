#include "uml_net/policy_stamp.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "libumlnet/core/look_at_fd.h"
#include "uml_net/file_stamp.h"

namespace umlnet {
namespace {

constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr int kTries = 10;  // while files come and go

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Only the administrator chooses what goes in: it need not withstand anybody.
std::uint64_t number_of(std::string_view name, std::uint64_t inode) {
  return (std::hash<std::string_view>()(name) ^ inode) * 0x9e3779b97f4a7c15U;
}

}  // namespace

bool is_of_the_policy(std::size_t directory, std::string_view name) {
  if (directory == 0) return name == last_part(policy::kPolicyFile) || name == last_part(policy::kPolicyDirectory);
  return !name.starts_with('.') && name.ends_with(".json");
}

std::expected<PolicyStamp::Listing, int> PolicyStamp::list(const Each& each) {
  Listing all;
  for (std::size_t i = 0; i < kPolicyDirectories.size(); ++i) {
    const char* directory = kPolicyDirectories[i];
    const unique_fd fd(::open(directory, kFlags));
    if (!fd && errno == ENOENT) continue;
    struct stat status{};
    if (!fd || !look_at_fd(fd.get(), status)) return std::unexpected(errno);
    all.sum += number_of(directory, status.st_ino) + number_of("dev", status.st_dev) +
               number_of("mode", status.st_mode) + number_of("uid", status.st_uid);
    ++all.entries;
    alignas(dirent64) std::array<char, 2048> entries;
    ssize_t size = 0;
    while ((size = ::getdents64(fd.get(), entries.data(), entries.size())) > 0)
      for (ssize_t at = 0; at < size;) {
        const auto* entry = reinterpret_cast<const dirent64*>(entries.data() + at);
        at += entry->d_reclen;
        if (!is_of_the_policy(i, entry->d_name)) continue;
        all.sum += number_of(entry->d_name, entry->d_ino);
        ++all.entries;
        if (const int error = each(directory, entry->d_name); error != 0) return std::unexpected(error);
      }
    if (size < 0) return std::unexpected(errno);
  }
  return all;
}

std::expected<PolicyStamp, int> PolicyStamp::take() {
  PolicyStamp stamp;
  std::expected<Listing, int> listing;
  for (int tries = 0; tries < kTries; ++tries) {
    stamp.files_.clear();
    listing = list([&](const char* directory, const char* name) {
      const std::string path = std::string(directory) + "/" + name;
      File file{unique_fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)), {}};
      if (!file.fd || !look_at_fd(file.fd.get(), file.status)) return errno;
      if (!S_ISDIR(file.status.st_mode)) stamp.files_.push_back(std::move(file));  // what lies in that is listed
      return 0;
    });
    if (listing || listing.error() != ENOENT) break;
  }
  if (!listing) return std::unexpected(listing.error());
  stamp.listing_ = *listing;
  return stamp;
}

std::expected<bool, int> PolicyStamp::is_current() const {
  const auto now = list([](const char*, const char*) { return 0; });
  if (!now) return std::unexpected(now.error());
  return *now == listing_ && std::ranges::all_of(files_, [](const File& file) {
    struct stat status{};
    return look_at_fd(file.fd.get(), status) && is_unchanged(file.status, status);
  });
}

void PolicyStamp::allow(SeccompFilter& filter) {
  using Where = SeccompFilter::Where;
  for (const char* directory : kPolicyDirectories)
    filter.allow(SYS_openat, {Where::equals(1, reinterpret_cast<std::uint64_t>(directory)), Where::equals(2, kFlags)});
  filter.allow(SYS_getdents64).allow(SYS_fstat).allow(SYS_close);
}

}  // namespace umlnet
