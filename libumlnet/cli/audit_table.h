// The audit log as a table: a line for each request, under the day.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

#include "libumlnet/cli/audit_entry.h"
#include "libumlnet/cli/wall_clock.h"

namespace umlnet::cli {

class AuditTable {
 public:
  // Wraps the last column at `width`; 0: never.
  AuditTable(std::FILE* out, Zone zone, std::size_t width) : out_(out), zone_(zone), width_(width) {}

  void add(const AuditEntry& entry);
  void add(const AuditEntry& entry, std::string_view outcome);

 private:
  std::FILE* out_;
  Zone zone_;
  std::size_t width_;
  std::string day_;
};

}  // namespace umlnet::cli
