// One line of the audit log as a value, and its JSON (umlnet-audit(5), policy/audit.schema.json).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/call.h"
#include "libumlnet/core/request_id.h"
#include "policy/caller.h"
#include "uml_net/channel/recorder_message.h"

namespace umlnet::audit {

// accept  granted: once before the change (stage intent), and once when it is done (stage result)
// reject  refused, or tried and failed
// exit    the end of a session, or undone because the caller did not take the reply
// alert   the policy is bad or has been tampered with
enum class Event { accept, reject, exit, alert };
enum class Stage { intent, result };

struct Record {
  std::chrono::system_clock::time_point time;
  Event event;
  Stage stage;
  RequestId id;
  policy::Caller caller;

  // What was asked, in parsed, canonical form.
  Protocol protocol = Protocol::none;
  std::string_view operation = {};
  std::optional<Request> request = {};
  // What the caller sent and what could not be parsed.
  std::vector<std::string> untrusted = {};

  std::string rule = {};    // empty where no rule decided
  std::string reason = {};  // empty where nothing was decided

  std::string device = {};                // that was made or changed
  int ifindex = 0;                        // of it
  std::vector<std::string> changes = {};  // to the host, in words
  std::string error = {};
  int errnum = 0;
  bool is_unfinished = false;                              // what came of it is not known
  std::optional<std::chrono::microseconds> duration = {};  // since the program started
  std::string ended = {};                                  // by what a session ended
  std::optional<SessionSummary> session = {};
  std::optional<NativeSessionSummary> native_session = {};
  // Requests of the caller's uid that changed nothing and got no line of their own.
  std::uint64_t suppressed = 0;
  // Written for a uid and not for one of its requests: of the caller there is no more than the uid, and no request.
  bool is_summary = false;
};

std::string_view event_name(Event event);
std::string_view stage_name(Stage stage);
// The device that was made or changed, or else the one that the request names; the guest's address that it names.
// Empty where there is none.
std::string device_of(const Record& record);
std::string address_of(const Record& record);

// At most this many bytes a line, newline and all.
inline constexpr std::size_t kMaxLine = 4096;

// The record as one line of JSON, ASCII only, ending in newline. Lists and texts that would not fit are cut, and say
// so.
std::string to_line(const Record& record);

}  // namespace umlnet::audit
