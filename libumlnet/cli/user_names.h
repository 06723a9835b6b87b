// Names of users and groups, as the host knows them: /etc/passwd, and whatever other sources its name service has.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace umlnet::cli {

// Asks for a uid once in the life of the process: a name service can take a millisecond, and a host with thousands of
// devices has but a few users.
std::optional<std::string> user_name_of(uid_t uid);
// The name where there is one, or else the number.
std::string user_text(uid_t uid);
std::string group_text(gid_t gid);
std::optional<uid_t> uid_of_user(const std::string& name);
std::optional<gid_t> gid_of_group(const std::string& name);

}  // namespace umlnet::cli
