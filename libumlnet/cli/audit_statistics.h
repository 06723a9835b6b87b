// How many requests of whom came to what, and how long they took.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "libumlnet/cli/audit_entry.h"
#include "libumlnet/cli/latencies.h"

namespace umlnet::cli {

class AuditStatistics {
 public:
  struct Row {
    std::uint64_t requests = 0;  // with a line of their own: accepted, refused and failed
    std::uint64_t accepted = 0, refused = 0, failed = 0;
    std::uint64_t alerts = 0;      // lines, and no requests: a bad policy refuses one, a bad journal does not
    std::uint64_t suppressed = 0;  // more, which changed nothing and have no line of their own
    Latencies latencies;           // of `requests`; how long sessions last is none

    void add(const Row& other);
  };

  // A log that somebody made up could name any number of users. Those beyond that many rows share one.
  static constexpr std::size_t kMostRows = 10'000;

  void add(const AuditEntry& entry);

  // As a table with the sum in the last row; empty where nothing was added.
  std::string table() const;
  // As one JSON object.
  std::string json() const;

 private:
  struct Key {
    std::uint64_t uid;
    std::string operation;  // empty: a request that was not understood, or none
    auto operator<=>(const Key&) const = default;
  };

  Row& row_for(const AuditEntry& entry);
  Row sum() const;
  std::string name_of(std::uint64_t uid) const;

  std::map<Key, Row> rows_;
  std::map<std::uint64_t, std::string> names_;
  Row others_;
  std::optional<Microseconds> first_, last_;
};

}  // namespace umlnet::cli
