#include "policy/accounts.h"

#include <algorithm>

#include "policy/account_lines.h"

namespace umlnet::policy {

Accounts::Accounts(std::string_view passwd_text, std::string_view group_text)
    : text_(std::make_shared<std::string>(std::string(passwd_text).append(group_text))) {
  const auto entries_of = [](std::string_view text) {
    std::vector<Entry> entries;
    entries.reserve(static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1);
    for_each_account(text, [&](const AccountLine& line) { entries.push_back({line.name, line.id}); });
    return entries;
  };
  users_ = entries_of(std::string_view(*text_).substr(0, passwd_text.size()));
  groups_ = entries_of(std::string_view(*text_).substr(passwd_text.size()));
}

// The first line wins.
const Accounts::Entry* Accounts::find(const std::vector<Entry>& entries, std::string_view name) {
  const auto it = std::ranges::find(entries, name, &Entry::name);
  return it != entries.end() ? &*it : nullptr;
}

std::optional<uid_t> Accounts::uid_of(std::string_view user) const {
  const auto* entry = find(users_, user);
  return entry != nullptr ? std::optional<uid_t>(entry->id) : std::nullopt;
}

std::optional<gid_t> Accounts::gid_of(std::string_view group) const {
  const auto* entry = find(groups_, group);
  return entry != nullptr ? std::optional<gid_t>(entry->id) : std::nullopt;
}

std::optional<std::string> Accounts::name_of(uid_t uid) const {
  const auto it = std::ranges::find(users_, uid, &Entry::id);
  return it != users_.end() ? std::optional<std::string>(it->name) : std::nullopt;
}

}  // namespace umlnet::policy
