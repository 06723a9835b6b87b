#include "libumlnet/cli/memberships.h"

#include "policy/loader/account_lines.h"

namespace umlnet::cli {

Memberships::Memberships(std::string_view passwd_text, std::string_view group_text) {
  // emplace keeps what is there: the first line of a name or id counts, as everywhere.
  policy::for_each_account(passwd_text, [&](const policy::AccountLine& line) {
    if (const auto gid = policy::parse_account_id(line.rest.substr(0, line.rest.find(':')))) {
      primary_.emplace(line.name, *gid);
      with_members_.insert(*gid);
    }
  });
  policy::for_each_account(group_text, [&](const policy::AccountLine& line) {
    names_.emplace(line.id, line.name);
    ids_.emplace(line.name, line.id);
    auto members = line.rest;
    while (!members.empty() && members.back() == '\r') members.remove_suffix(1);
    while (!members.empty()) {
      const auto comma = members.find(',');
      const auto member = members.substr(0, comma);
      if (!member.empty()) {
        groups_[std::string(member)].insert(line.id);
        with_members_.insert(line.id);
      }
      members.remove_prefix(comma == std::string_view::npos ? members.size() : comma + 1);
    }
  });
}

std::optional<gid_t> Memberships::primary_group_of(const std::string& user) const {
  const auto it = primary_.find(user);
  if (it == primary_.end()) return std::nullopt;
  return it->second;
}

std::vector<gid_t> Memberships::groups_of(const std::string& user) const {
  const auto it = groups_.find(user);
  if (it == groups_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

bool Memberships::has_members(gid_t group) const { return with_members_.contains(group); }

std::optional<gid_t> Memberships::group_id(const std::string& name) const {
  const auto it = ids_.find(name);
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

std::optional<std::string> Memberships::group_name(gid_t group) const {
  const auto it = names_.find(group);
  if (it == names_.end()) return std::nullopt;
  return it->second;
}

}  // namespace umlnet::cli
