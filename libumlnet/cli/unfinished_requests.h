// Requests that the log says were begun, and whose end it does not have yet.
#pragma once

#include <cstddef>
#include <list>
#include <vector>

#include "libumlnet/cli/audit_entry.h"

namespace umlnet::cli {

class UnfinishedRequests {
 public:
  // More cannot be under way: those that began first are given up.
  static constexpr std::size_t kMost = 1000;

  // Lines in the order of the log.
  void add(const AuditEntry& entry);

  // Takes those that began before `time`, in order.
  std::vector<AuditEntry> take_begun_before(Microseconds time);

 private:
  std::list<AuditEntry> intents_;
};

}  // namespace umlnet::cli
