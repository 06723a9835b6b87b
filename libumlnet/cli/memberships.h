// Who is in which group, from the text of /etc/passwd and /etc/group: what a user's process gets at login. The helper
// needs none of it, as the kernel tells it the groups of its caller.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace umlnet::cli {

class Memberships {
 public:
  Memberships() = default;
  Memberships(std::string_view passwd_text, std::string_view group_text);

  std::optional<gid_t> primary_group_of(const std::string& user) const;
  // Of the lists of members only, in the order of the ids.
  std::vector<gid_t> groups_of(const std::string& user) const;
  bool has_members(gid_t group) const;
  std::optional<std::string> group_name(gid_t group) const;
  std::optional<gid_t> group_id(const std::string& name) const;

 private:
  std::map<std::string, gid_t> primary_;
  std::map<std::string, std::set<gid_t>> groups_;
  std::set<gid_t> with_members_;
  std::map<gid_t, std::string> names_;
  std::map<std::string, gid_t> ids_;
};

}  // namespace umlnet::cli
