#include "libumlnet/cli/policy_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "policy/files/policy_files.h"
#include "policy/files/trusted_file.h"

namespace umlnet::cli {
namespace {

// The helper's advice is for whoever installs it.
Error for_this_user(Error error) {
  if (is_hidden(error)) error.advice = "Only root and the helper may read it: ask as root (sudo).";
  return error;
}

}  // namespace

bool is_hidden(const Error& error) { return error.errnum == EACCES || error.errnum == EPERM; }

policy::Caller this_process() {
  policy::Caller caller{
      .uid = ::getuid(), .gid = ::getgid(), .groups = {}, .pid = ::getpid(), .user = {}, .loginuid = {}};
  const int count = ::getgroups(0, nullptr);
  caller.groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  if (count > 0 && ::getgroups(count, caller.groups.data()) < 0) caller.groups.clear();
  return caller;
}

Result<KnownAccounts> read_known_accounts() {
  const auto passwd = policy::read_account_file(policy::kPasswdFile);
  if (!passwd) return std::unexpected(for_this_user(passwd.error()));
  const auto group = policy::read_account_file(policy::kGroupFile);
  if (!group) return std::unexpected(for_this_user(group.error()));
  return KnownAccounts{policy::Accounts(*passwd, *group), Memberships(*passwd, *group)};
}

Result<std::vector<policy::PolicyText>> read_installed_policy() {
  TrustedPlaces places;
  auto texts = policy::read_policy_files(places);
  if (!texts) return std::unexpected(for_this_user(texts.error()));
  return texts;
}

Result<policy::PolicyText> read_draft(const std::string& path) {
  const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return fail_errno(Code::no_such_device, errno, "cannot open " + path);
  std::string text;
  char block[8192];
  ssize_t size = 0;
  // A byte over the limit is enough for load() to refuse it.
  while (text.size() <= policy::kMaxFileSize && (size = ::read(fd.get(), block, sizeof block)) > 0)
    text.append(block, static_cast<std::size_t>(size));
  if (size < 0) return fail_errno(Code::no_such_device, errno, "cannot read " + path);
  return policy::PolicyText{path, std::move(text)};
}

std::string why_untrusted(const std::string& path) {
  std::error_code ignored;
  const auto absolute = std::filesystem::absolute(path, ignored).lexically_normal().string();
  const auto opened = open_trusted(absolute);
  return opened || is_hidden(opened.error()) ? "" : opened.error().line();
}

}  // namespace umlnet::cli
