// Who asks: the identity that the kernel vouches for.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umlnet::policy {

struct Caller {
  uid_t uid = 0;                    // real uid
  gid_t gid = 0;                    // real gid
  std::vector<gid_t> groups;        // supplementary groups; never the group that a setgid installation adds
  pid_t pid = 0;                    // the helper's parent, which a caller can choose
  pid_t helper_pid = 0;             // the helper's own
  std::optional<std::string> user;  // the name of `uid` where /etc/passwd has one
  std::optional<uid_t> loginuid;    // who logged in, where the kernel's audit subsystem knows
  std::optional<std::uint32_t> sessionid = std::nullopt;  // in which login session, likewise
};

}  // namespace umlnet::policy
