#include "libumlnet/cli/audit_filter.h"

#include <algorithm>

namespace umlnet::cli {

bool AuditFilter::matches(const AuditEntry& entry) const {
  if (since && entry.time < *since) return false;
  if (denied && entry.event != AuditEntry::Event::reject && entry.event != AuditEntry::Event::alert) return false;
  if (!entry.id.starts_with(id)) return false;
  const auto is_user = [&](const User& user) {
    return user.uid == entry.uid || (!user.name.empty() && user.name == entry.user);
  };
  const auto is_device = [&](const std::string& name) { return name == entry.device || name == entry.result_device; };
  return (users.empty() || std::ranges::any_of(users, is_user)) &&
         (devices.empty() || std::ranges::any_of(devices, is_device));
}

}  // namespace umlnet::cli
