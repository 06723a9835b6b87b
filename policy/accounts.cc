#include "policy/accounts.h"

#include "policy/account_lines.h"

namespace umlnet::policy {
namespace {

template <class Id>
std::optional<Id> find(const std::unordered_map<std::string, Id>& ids, std::string_view name) {
  const auto it = ids.find(std::string(name));
  if (it == ids.end()) return std::nullopt;
  return it->second;
}

}  // namespace

Accounts::Accounts(std::string_view passwd_text, std::string_view group_text) {
  // emplace keeps what is there: the first line wins.
  for_each_account(passwd_text, [&](const AccountLine& entry) {
    users_.emplace(entry.name, entry.id);
    user_names_.emplace(entry.id, entry.name);
  });
  for_each_account(group_text, [&](const AccountLine& entry) { groups_.emplace(entry.name, entry.id); });
}

std::optional<uid_t> Accounts::uid_of(std::string_view user) const { return find(users_, user); }

std::optional<gid_t> Accounts::gid_of(std::string_view group) const { return find(groups_, group); }

std::optional<std::string> Accounts::name_of(uid_t uid) const {
  const auto it = user_names_.find(uid);
  if (it == user_names_.end()) return std::nullopt;
  return it->second;
}

}  // namespace umlnet::policy
