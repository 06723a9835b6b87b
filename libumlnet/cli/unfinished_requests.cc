#include "libumlnet/cli/unfinished_requests.h"

#include <algorithm>

namespace umlnet::cli {

void UnfinishedRequests::add(const AuditEntry& entry) {
  if (entry.intent) {
    intents_.push_back(entry);
    if (intents_.size() > kMost) intents_.pop_front();
    return;
  }
  // A session has many lines of one id, and at most one request under way.
  const auto it = std::ranges::find_if(
      intents_, [&](const AuditEntry& intent) { return intent.id == entry.id && intent.operation == entry.operation; });
  if (it != intents_.end()) intents_.erase(it);
}

std::vector<AuditEntry> UnfinishedRequests::take_begun_before(Microseconds time) {
  std::vector<AuditEntry> taken;
  std::erase_if(intents_, [&](const AuditEntry& intent) {
    if (intent.time >= time) return false;
    taken.push_back(intent);
    return true;
  });
  return taken;
}

}  // namespace umlnet::cli
