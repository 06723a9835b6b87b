#include "uml_net/recorder/policy_reader.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "libumlnet/core/look_at_fd.h"
#include "libumlnet/core/root_owned.h"

namespace umlnet {
namespace {

// How each of kPolicyDirectories is opened.
constexpr std::array kDirectoryHow = {&kPinned.root_how, &kPinned.directory_how};

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::expected<unique_fd, int> open_at(const char* path, const open_how& how) {
  unique_fd fd = open_pinned(path, how);
  if (!fd) return std::unexpected(errno);
  return fd;
}

bool is_roots_alone(const struct stat& status, mode_t type) {
  return !why_not_roots(status, type, S_IWGRP | S_IWOTH, false);
}

// Makes it the working directory.
std::expected<unique_fd, int> enter(std::size_t directory) {
  const char* path = kPolicyDirectories[directory];
  auto fd = open_at(path, *kDirectoryHow[directory]);
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
      auto file = open_at(name.c_str(), kPinned.file_how);
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

}  // namespace umlnet
