#include "libumlnet/cli/user_names.h"

#include <grp.h>
#include <pwd.h>

#include <map>

#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {

std::optional<std::string> user_name_of(uid_t uid) {
  static std::map<uid_t, std::optional<std::string>> known;
  const auto [place, is_new] = known.try_emplace(uid);
  if (!is_new) return place->second;
  if (const passwd* entry = ::getpwuid(uid); entry != nullptr) place->second = entry->pw_name;
  return place->second;
}

std::string user_text(uid_t uid) { return printable(user_name_of(uid).value_or(std::to_string(uid))); }

std::string group_text(gid_t gid) {
  const group* entry = ::getgrgid(gid);
  return printable(entry != nullptr ? entry->gr_name : std::to_string(gid));
}

std::optional<gid_t> gid_of_group(const std::string& name) {
  const group* entry = ::getgrnam(name.c_str());
  return entry != nullptr ? std::optional(entry->gr_gid) : std::nullopt;
}

std::optional<uid_t> uid_of_user(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());
  return entry != nullptr ? std::optional(entry->pw_uid) : std::nullopt;
}

}  // namespace umlnet::cli
