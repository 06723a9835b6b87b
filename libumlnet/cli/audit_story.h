// All that one id left in the audit log, told in order.
#pragma once

#include <cstddef>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "libumlnet/cli/audit_entry.h"
#include "libumlnet/cli/wall_clock.h"

namespace umlnet::cli {

class AuditStory {
 public:
  // Wraps at `width`; 0: never.
  AuditStory(std::FILE* out, Zone zone, std::size_t width) : out_(out), zone_(zone), width_(width) {}

  void add(const AuditEntry& entry);
  // What is missing at the end.
  void end();

 private:
  void begin(const AuditEntry& entry);
  void line(const std::string& text);
  void detail(const std::string& text);
  void tell(const AuditEntry& entry);

  std::FILE* out_;
  Zone zone_;
  std::size_t width_;
  std::string id_;
  std::string day_;
  std::set<std::string> begun_;  // operations without a result so far
  // Counts of what was suppressed, of any user, in front of all others: the call that has this id wrote them.
  std::vector<AuditEntry> in_front_;
};

}  // namespace umlnet::cli
