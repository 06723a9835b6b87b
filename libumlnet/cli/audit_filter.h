// Which lines of the audit log somebody wants to see.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libumlnet/cli/audit_entry.h"

namespace umlnet::cli {

struct AuditFilter {
  struct User {
    std::string name;
    std::optional<std::uint64_t> uid;  // where the name has one here, or is one
  };

  std::optional<Microseconds> since = {};
  std::vector<User> users = {};           // any of them; none: everybody
  std::vector<std::string> devices = {};  // any of them, by name
  std::string id = {};                    // or its beginning
  bool denied = false;                    // what was refused, or failed

  bool matches(const AuditEntry& entry) const;
};

}  // namespace umlnet::cli
