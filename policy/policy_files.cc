#include "policy/policy_files.h"

#include <cstddef>
#include <utility>

#include "policy/location.h"
#include "policy/trusted_file.h"

namespace umlnet::policy {
namespace {

constexpr std::size_t kMaxAccounts = 16777216;  // bytes

}  // namespace

Result<std::vector<PolicyText>> read_policy_files() {
  std::vector<std::string> paths = {kPolicyFile};
  auto names = list_trusted(kPolicyDirectory, ".json");
  if (!names) return std::unexpected(std::move(names.error()));
  for (const auto& name : *names) paths.push_back(std::string(kPolicyDirectory) + "/" + name);

  std::vector<PolicyText> texts;
  for (const auto& path : paths) {
    auto file = open_trusted(path);
    if (!file) return std::unexpected(std::move(file.error()));
    if (!*file) continue;
    auto text = read_whole((*file)->get(), path, kMaxFileSize);
    if (!text) return std::unexpected(std::move(text.error()));
    texts.push_back({path, *std::move(text)});
  }
  return texts;
}

Result<std::string> read_account_file(const std::string& path) {
  auto file = open_trusted(path);
  if (!file) return std::unexpected(std::move(file.error()));
  if (!*file) return std::string();
  return read_whole((*file)->get(), path, kMaxAccounts);
}

Result<Accounts> read_accounts() {
  auto passwd = read_account_file(kPasswdFile);
  if (!passwd) return std::unexpected(std::move(passwd.error()));
  auto group = read_account_file(kGroupFile);
  if (!group) return std::unexpected(std::move(group.error()));
  return Accounts(*passwd, *group);
}

}  // namespace umlnet::policy
