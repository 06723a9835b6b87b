// A line of the audit log in words for a person. All of them printable ASCII, whatever the log holds.
#pragma once

#include <string>

#include "libumlnet/cli/audit_entry.h"

namespace umlnet::cli {

// The name, or the number.
std::string who(const AuditEntry& entry);
// What was asked for: "add 10.50.0.7/24 to tap0".
std::string request_in_words(const AuditEntry& entry);
// The same, and what came of it: "tuntap: rule alice allows this but for gateway 192.168.1.1: not in 10.99.0.254/32".
std::string entry_in_words(const AuditEntry& entry);
// "3.9 ms", "12.5 s", "3 h 12 min".
std::string duration_in_words(std::uint64_t microseconds);
// "1.2k", "340M": at most four characters.
std::string short_count(std::uint64_t count);

}  // namespace umlnet::cli
