// Who asks: the identity that the kernel vouches for.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace umlnet::policy {

struct Caller {
  uid_t uid = 0;                    // real uid
  gid_t gid = 0;                    // real gid
  std::vector<gid_t> groups;        // supplementary groups; never the group that a setgid installation adds
  pid_t pid = 0;                    // the process that started the helper
  std::optional<std::string> user;  // the name of `uid` where /etc/passwd has one
  std::optional<uid_t> loginuid;    // who logged in, where the kernel's audit subsystem knows
};

}  // namespace umlnet::policy
