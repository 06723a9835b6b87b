// One line of the audit log (umlnet-audit(5)) as it is read. Nothing in it is trusted: texts may hold any bytes, and
// whoever shows them makes them printable.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/timestamp.h"

namespace umlnet::cli {

struct AuditEntry {
  enum class Event : std::uint8_t { accept, reject, exit, alert };
  struct Direction {
    std::uint64_t frames = 0, bytes = 0, too_long = 0, too_short = 0, dropped = 0;
  };
  struct Session {
    std::string ended;
    Direction to_guest, to_host;
    std::uint64_t addresses_added = 0, addresses_removed = 0;
  };

  Microseconds time;
  Event event = Event::accept;
  bool intent = false;
  std::string id;

  std::uint64_t uid = 0;
  std::optional<std::uint64_t> gid, pid, helper_pid, loginuid, sessionid;
  std::string user;

  // Empty where the line does not say.
  std::string protocol, operation, device, gateway, address, netmask, bridge;
  std::vector<std::string> addresses, guests;  // of `open`
  std::vector<std::string> guest_macs;
  std::string mac, owner;
  std::optional<std::uint64_t> mtu, queues;
  std::vector<std::string> flags;  // options without a value that were asked for, by the names of their keys
  std::vector<std::string> untrusted;
  std::string rule, reason;
  std::string result_device, error, errno_name;
  std::optional<std::uint64_t> ifindex, duration_us;
  bool is_unfinished = false;  // what came of it is not known
  std::vector<std::string> changes;
  std::optional<Session> session;
  std::uint64_t suppressed = 0;

  // The device that was made or changed, or else the one that was asked for.
  const std::string& any_device() const { return result_device.empty() ? device : result_device; }
  // Of a user and not of one request: how many of the user's requests got no line of their own.
  bool is_summary() const { return !pid && suppressed != 0; }
};

enum class NoEntry : std::uint8_t {
  foreign,  // no line of the audit log
  cut,      // the beginning of one: the helper could not write it whole, as on a full disk
};

// `line` without its newline. Keys that are not known, and values that are not of the type that they should be, are
// passed over; a line without time, event, stage, id and uid is foreign.
std::expected<AuditEntry, NoEntry> parse_audit_line(std::string_view line);

// Where a line does not parse: the records that it consists of. After a record that was cut, another may follow on the
// same line. What is in front of the first record is a part, too.
std::vector<std::string_view> split_at_records(std::string_view line);

// What came of it, in one word: accepted, refused, failed, undone, ended, alert, suppressed; begun for an intent.
std::string_view outcome_of(const AuditEntry& entry);

}  // namespace umlnet::cli
