#include "uml_net/recorder/policy_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "libumlnet/core/look_at_fd.h"
#include "libumlnet/core/root_owned.h"

namespace umlnet {
namespace {

constexpr std::uint64_t kNoLinks = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
// Of kPolicyDirectories. The first need not be readable: what is wanted of it has one name.
constexpr std::array<open_how, 2> kDirectoryHow = {{
    {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .mode = 0, .resolve = kNoLinks},
    {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .mode = 0, .resolve = kNoLinks},
}};
constexpr open_how kFileHow = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                               .mode = 0,
                               .resolve = RESOLVE_BENEATH | kNoLinks};

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::expected<unique_fd, int> open_at(const char* path, const open_how& how) {
  unique_fd fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how)));
  if (!fd) return std::unexpected(errno);
  return fd;
}

bool is_roots_alone(const struct stat& status, mode_t type) {
  return !why_not_roots(status, type, S_IWGRP | S_IWOTH, false);
}

// Makes it the working directory.
std::expected<unique_fd, int> enter(std::size_t directory) {
  const char* path = kPolicyDirectories[directory];
  auto fd = open_at(path, kDirectoryHow[directory]);
  struct stat status{};
  if (!fd) return fd;
  if (!look_at_fd(fd->get(), status)) return std::unexpected(errno);
  if (!is_roots_alone(status, S_IFDIR)) return std::unexpected(EPERM);
  if (::chdir(path) != 0) return std::unexpected(errno);
  return fd;
}

std::expected<std::vector<std::string>, int> names_in(int directory) {
  std::vector<std::string> names;
  alignas(dirent64) std::array<char, 2048> entries;
  ssize_t size = 0;
  while ((size = ::getdents64(directory, entries.data(), entries.size())) > 0)
    for (ssize_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries.data() + at);
      at += entry->d_reclen;
      const std::string_view name = entry->d_name;
      if (!name.starts_with('.') && name.ends_with(".json")) names.emplace_back(name);
    }
  if (size < 0) return std::unexpected(errno);
  std::ranges::sort(names);
  return names;
}

bool holds(int fd, std::string_view text) {
  struct stat status{};
  if (!look_at_fd(fd, status) || !is_roots_alone(status, S_IFREG)) return false;
  std::array<char, 4096> bytes;
  std::size_t have = 0;
  ssize_t size = 0;
  while ((size = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(have))) > 0) {
    const std::string_view read(bytes.data(), static_cast<std::size_t>(size));
    if (!text.substr(have).starts_with(read)) return false;
    have += read.size();
  }
  return size == 0 && have == text.size();
}

}  // namespace

bool enter_policy_directory() { return ::chdir(policy::kPolicyRoot) == 0 || ::chdir("/dev/net") == 0; }

int for_each_policy_file(const EachPolicyFile& each) {
  for (std::size_t i = 0; i < kPolicyDirectories.size(); ++i) {
    const auto directory = enter(i);
    if (!directory && directory.error() == ENOENT) continue;
    if (!directory) return directory.error();
    const bool is_main = i == 0;
    const auto names = is_main ? std::vector{std::string(last_part(policy::kPolicyFile))} : names_in(directory->get());
    if (!names) return names.error();
    for (const auto& name : *names) {
      auto file = open_at(name.c_str(), kFileHow);
      if (!file && file.error() == ENOENT && is_main) continue;
      if (!each(std::string(kPolicyDirectories[i]) + "/" + name, std::move(file))) return 0;
    }
  }
  return 0;
}

bool is_policy(std::span<const policy::PolicyText> texts) {
  std::size_t same = 0;
  const int error = for_each_policy_file([&](const std::string& path, const std::expected<unique_fd, int>& file) {
    if (!file || same == texts.size() || path != texts[same].path || !holds(file->get(), texts[same].text)) {
      same = texts.size() + 1;
      return false;
    }
    ++same;
    return true;
  });
  return error == 0 && same == texts.size();
}

Result<PolicyFile> open_policy_file(unsigned number) {
  PolicyFile found;
  int unopened = 0;
  unsigned seen = 0;
  const int error = for_each_policy_file([&](const std::string& path, std::expected<unique_fd, int> file) {
    if (seen++ < number) return true;
    found.path = path;
    unopened = file ? 0 : file.error();
    if (file) found.fd = *std::move(file);
    return false;
  });
  if (error == 0 && unopened == 0) return found;
  return fail_errno(
      Code::bad_policy, error != 0 ? error : unopened,
      "cannot read the policy: cannot open " + (error != 0 ? std::string(policy::kPolicyRoot) : found.path),
      "The administrator finds what is wrong by: umlnet policy check");
}

void allow_policy_reading(SeccompFilter& filter) {
  using ArgMatch = SeccompFilter::ArgMatch;
  const auto at = [](unsigned argument, const void* address) {
    return ArgMatch::equals(argument, reinterpret_cast<std::uint64_t>(address));
  };
  const auto size = ArgMatch::equals(3, sizeof(open_how));
  for (std::size_t i = 0; i < kPolicyDirectories.size(); ++i) {
    filter.allow(SYS_openat2, {at(1, kPolicyDirectories[i]), at(2, &kDirectoryHow[i]), size});
    filter.allow(SYS_chdir, {at(0, kPolicyDirectories[i])});
  }
  filter.allow(SYS_openat2, {ArgMatch::equals_int(0, static_cast<std::uint32_t>(AT_FDCWD)), at(2, &kFileHow), size});
  filter.allow(SYS_getdents64).allow(SYS_pread64).allow(SYS_fstat).allow(SYS_close);
}

}  // namespace umlnet
