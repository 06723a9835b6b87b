// Names of users and groups, from the text of /etc/passwd and /etc/group. No name service is asked: a privileged
// program that loads the modules of nsswitch.conf runs whatever they are. Names from elsewhere (LDAP) are written as
// numbers.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace umlnet::policy {

class Accounts {
 public:
  Accounts() = default;
  // Lines that are not `name:password:id:...` with a decimal id are passed over; the first line of a name or id wins,
  // as the C library does.
  Accounts(std::string passwd_text, std::string group_text)
      : passwd_(std::move(passwd_text)), group_(std::move(group_text)) {}

  std::optional<uid_t> uid_of(std::string_view user) const;
  std::optional<gid_t> gid_of(std::string_view group) const;
  std::optional<std::string> name_of(uid_t uid) const;

 private:
  // Few names are looked up, by a program that runs once: in the text, and no table is made.
  std::string passwd_;
  std::string group_;
};

}  // namespace umlnet::policy
