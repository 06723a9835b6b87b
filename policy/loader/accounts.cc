#include "policy/loader/accounts.h"

#include "policy/loader/account_lines.h"

namespace umlnet::policy {

std::optional<uid_t> Accounts::uid_of(std::string_view user) const {
  const auto line = find_account(passwd_, user);
  return line ? std::optional<uid_t>(line->id) : std::nullopt;
}

std::optional<gid_t> Accounts::gid_of(std::string_view group) const {
  const auto line = find_account(group_, group);
  return line ? std::optional<gid_t>(line->id) : std::nullopt;
}

std::optional<std::string> Accounts::name_of(uid_t uid) const {
  const auto line = find_account(passwd_, uid);
  return line ? std::optional<std::string>(line->name) : std::nullopt;
}

}  // namespace umlnet::policy
