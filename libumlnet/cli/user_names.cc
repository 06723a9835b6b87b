#include "libumlnet/cli/user_names.h"

#include <grp.h>
#include <pwd.h>

#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {

std::optional<std::string> user_name_of(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  return entry != nullptr ? std::optional<std::string>(entry->pw_name) : std::nullopt;
}

std::string user_text(uid_t uid) { return printable(user_name_of(uid).value_or(std::to_string(uid))); }

std::string group_text(gid_t gid) {
  const group* entry = ::getgrgid(gid);
  return printable(entry != nullptr ? entry->gr_name : std::to_string(gid));
}

std::optional<uid_t> uid_of_user(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());
  return entry != nullptr ? std::optional(entry->pw_uid) : std::nullopt;
}

}  // namespace umlnet::cli
