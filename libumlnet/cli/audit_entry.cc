#include "libumlnet/cli/audit_entry.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace umlnet::cli {
namespace {

using Json = nlohmann::json;

// Of each record. It cannot be within one, because a string's quotation marks have backslashes.
constexpr std::string_view kBeginning = R"({"time":")";

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it != object.end() ? &*it : nullptr;
}

std::string text(const Json& object, const char* key) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

std::optional<std::uint64_t> number(const Json& object, const char* key) {
  const Json* value = find(object, key);
  // Negative numbers and fractions are of other types.
  return value != nullptr && value->is_number_unsigned() ? std::optional(value->get<std::uint64_t>()) : std::nullopt;
}

std::vector<std::string> texts(const Json& object, const char* key) {
  std::vector<std::string> found;
  if (const Json* value = find(object, key); value != nullptr && value->is_array())
    for (const auto& element : *value)
      if (element.is_string()) found.push_back(element.get<std::string>());
  return found;
}

const Json& inside(const Json& object, const char* key) {
  static const Json kNothing = Json::object();
  const Json* value = find(object, key);
  return value != nullptr ? *value : kNothing;
}

std::optional<AuditEntry::Event> event_of(const std::string& name) {
  using enum AuditEntry::Event;
  if (name == "accept") return accept;
  if (name == "reject") return reject;
  if (name == "exit") return exit;
  if (name == "alert") return alert;
  return std::nullopt;
}

AuditEntry::Direction direction(const Json& json) {
  const auto count = [&](const char* key) { return number(json, key).value_or(0); };
  return {.frames = count("frames"),
          .bytes = count("bytes"),
          .too_long = count("too_long"),
          .too_short = count("too_short"),
          .dropped = count("dropped")};
}

void read_request(const Json& json, AuditEntry& entry) {
  entry.protocol = text(json, "protocol");
  entry.operation = text(json, "operation");
  entry.device = text(json, "device");
  entry.gateway = text(json, "gateway");
  entry.address = text(json, "address");
  entry.netmask = text(json, "netmask");
  entry.bridge = text(json, "bridge");
  entry.addresses = texts(json, "addresses");
  entry.guests = texts(json, "guests");
  entry.guest_macs = texts(json, "guest_macs");
  if (auto only = text(json, "guest_mac"); !only.empty()) entry.guest_macs.push_back(std::move(only));
  entry.mac = text(json, "mac");
  if (const auto owner = number(json, "owner")) entry.owner = "uid " + std::to_string(*owner);
  if (const auto group = number(json, "owner_group")) entry.owner = "gid " + std::to_string(*group);
  entry.mtu = number(json, "mtu");
  entry.queues = number(json, "queues");
  for (const auto* key : {"isolated", "vnet_hdr", "netns", "persistent", "sealed", "anti_spoof"})
    if (const Json* flag = find(json, key); flag != nullptr && flag->is_boolean() && flag->get<bool>())
      entry.flags.emplace_back(key);
}

void read_result(const Json& json, AuditEntry& entry) {
  entry.result_device = text(json, "device");
  entry.ifindex = number(json, "ifindex");
  entry.changes = texts(json, "changes");
  entry.error = text(json, "error");
  entry.errno_name = text(json, "errno");
  entry.duration_us = number(json, "duration_us");
  if (const Json* flag = find(json, "unfinished"); flag != nullptr && flag->is_boolean())
    entry.is_unfinished = flag->get<bool>();
  const Json* session = find(json, "session");
  if (session == nullptr || !session->is_object()) return;
  entry.session = AuditEntry::Session{.ended = text(*session, "ended"),
                                      .to_guest = direction(inside(*session, "to_guest")),
                                      .to_host = direction(inside(*session, "to_host")),
                                      .addresses_added = number(*session, "addresses_added").value_or(0),
                                      .addresses_removed = number(*session, "addresses_removed").value_or(0)};
}

}  // namespace

std::expected<AuditEntry, NoEntry> parse_audit_line(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded() && !line.empty() && (line.starts_with(kBeginning) || kBeginning.starts_with(line)))
    return std::unexpected(NoEntry::cut);
  const auto time = parse_rfc3339(text(json, "time"));
  const auto event = event_of(text(json, "event"));
  const auto stage = text(json, "stage");
  const auto& caller = inside(json, "caller");
  const auto uid = number(caller, "uid");
  AuditEntry entry;
  entry.id = text(json, "id");
  if (!time || !event || (stage != "intent" && stage != "result") || entry.id.empty() || !uid)
    return std::unexpected(NoEntry::foreign);
  entry.time = *time;
  entry.event = *event;
  entry.intent = stage == "intent";
  entry.uid = *uid;
  entry.gid = number(caller, "gid");
  entry.pid = number(caller, "pid");
  entry.helper_pid = number(caller, "helper_pid");
  entry.loginuid = number(caller, "loginuid");
  entry.sessionid = number(caller, "sessionid");
  entry.user = text(caller, "user");
  read_request(inside(json, "request"), entry);
  entry.untrusted = texts(json, "untrusted");
  entry.rule = text(inside(json, "decision"), "rule");
  entry.reason = text(inside(json, "decision"), "reason");
  read_result(inside(json, "result"), entry);
  entry.suppressed = number(json, "suppressed").value_or(0);
  return entry;
}

std::vector<std::string_view> split_at_records(std::string_view line) {
  std::vector<std::string_view> parts;
  for (std::size_t end = 0; !line.empty(); line.remove_prefix(end)) {
    end = std::min(line.find(kBeginning, 1), line.size());
    parts.push_back(line.substr(0, end));
  }
  return parts;
}

std::string_view outcome_of(const AuditEntry& entry) {
  if (entry.intent) return "begun";
  switch (entry.event) {
    case AuditEntry::Event::accept: return "accepted";
    case AuditEntry::Event::reject:
      if (entry.is_summary()) return "suppressed";
      return entry.error.empty() ? "refused" : "failed";
    case AuditEntry::Event::exit:
      if (entry.is_unfinished) return "unfinished";
      return entry.session ? "ended" : "undone";
    case AuditEntry::Event::alert: return "alert";
  }
  return "alert";
}

}  // namespace umlnet::cli
