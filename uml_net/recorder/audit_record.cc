#include "uml_net/recorder/audit_record.h"

#include <nlohmann/json.hpp>

#include "libumlnet/core/plain_text.h"
#include "libumlnet/core/timestamp.h"

namespace umlnet::audit {
namespace {

using Json = nlohmann::ordered_json;

// An object with room for so many members: one that grows copies all that stands in it, since an ordered_map is a
// vector whose keys cannot be moved.
Json object_for(std::size_t members) {
  Json::object_t object;
  object.reserve(members);
  return object;
}

// The device and the address that a request names.
struct Names {
  const IfName* device = nullptr;
  const Ipv4* address = nullptr;
};

Names names_in(const Request& request) {
  return std::visit(ForEachKind{
                        [](const MakeTap&) { return Names{}; },
                        [](const OpenEthertap& ethertap) { return Names{&ethertap.device}; },
                        [](const MakeBridgedTap&) { return Names{}; },
                        [](const AddAddress& add) { return Names{&add.device, &add.address}; },
                        [](const DeleteAddress& del) { return Names{&del.device, &del.address}; },
                        [](const OpenInterface& open) { return Names{open.device ? &*open.device : nullptr}; },
                        [](const RemoveInterface& remove) { return Names{&remove.device}; },
                        [](const OpenSession&) { return Names{}; },
                        [](const CollectGarbage&) { return Names{}; },
                    },
                    request);
}

Json caller_json(const policy::Caller& caller, bool is_summary) {
  Json json = object_for(7);
  json["uid"] = caller.uid;
  if (!is_summary) {
    json["gid"] = caller.gid;
    json["pid"] = caller.pid;
    if (caller.helper_pid != 0) json["helper_pid"] = caller.helper_pid;
  }
  if (caller.user) json["user"] = escaped(*caller.user, 64);
  if (caller.loginuid) json["loginuid"] = *caller.loginuid;
  if (caller.sessionid) json["sessionid"] = *caller.sessionid;
  return json;
}

void name_address(Json& json, const IfName& device, Ipv4 address, Ipv4Mask netmask) {
  json["device"] = device.str();
  json["address"] = address.str();
  json["netmask"] = netmask.str();
}

// What is asked for, and nothing of what is not.
void name_options(Json& json, const OpenInterface& open) {
  if (open.device) json["device"] = open.device->str();
  for (const auto& address : open.addresses) json["addresses"].push_back(address.str());
  for (const auto& guest : open.guests) json["guests"].push_back(guest.compact());
  if (open.guest_macs.size() == 1) json["guest_mac"] = open.guest_macs.front().str();
  if (open.guest_macs.size() > 1)
    for (const auto& mac : open.guest_macs) json["guest_macs"].push_back(mac.str());
  if (open.bridge) json["bridge"] = open.bridge->str();
  if (open.isolated) json["isolated"] = true;
  if (open.mtu) json["mtu"] = *open.mtu;
  if (open.mac) json["mac"] = open.mac->str();
  if (open.queues != 1) json["queues"] = open.queues;
  if (open.virtio_headers) json["vnet_hdr"] = true;
  if (open.netns) json["netns"] = true;
  if (open.persistent) json["persistent"] = true;
  if (open.owner) json[open.owner->kind == DeviceOwner::Kind::group ? "owner_group" : "owner"] = open.owner->id;
  if (open.sealed) json["sealed"] = true;
  if (open.anti_spoof) json["anti_spoof"] = true;
}

Json request_json(const Record& record) {
  Json json = object_for(8);
  json["protocol"] = protocol_name(record.protocol);
  if (!record.operation.empty()) json["operation"] = record.operation;
  if (!record.request) return json;
  std::visit(ForEachKind{
                 [&](const MakeTap& tap) {
                   if (tap.gateway) json["gateway"] = tap.gateway->str();
                 },
                 [&](const OpenEthertap& ethertap) {
                   json["device"] = ethertap.device.str();
                   if (ethertap.gateway) json["gateway"] = ethertap.gateway->str();
                 },
                 [&](const MakeBridgedTap& bridged) { json["bridge"] = bridged.bridge.str(); },
                 [&](const AddAddress& add) { name_address(json, add.device, add.address, add.netmask); },
                 [&](const DeleteAddress& del) { name_address(json, del.device, del.address, del.netmask); },
                 [&](const OpenInterface& open) { name_options(json, open); },
                 [&](const RemoveInterface& remove) { json["device"] = remove.device.str(); },
                 [](const OpenSession&) {},
                 [](const CollectGarbage&) {},
             },
             *record.request);
  return json;
}

Json direction_json(const SessionSummary::Direction& direction) {
  return {{"frames", direction.frames},
          {"bytes", direction.bytes},
          {"too_long", direction.too_long},
          {"too_short", direction.too_short}};
}

Json session_json(const std::string& ended, const SessionSummary& session) {
  Json json = {{"ended", ended},
               {"to_guest", direction_json(session.to_guest)},
               {"to_host", direction_json(session.to_host)},
               {"addresses_added", session.addresses_added},
               {"addresses_removed", session.addresses_removed}};
  json["to_guest"]["dropped"] = session.dropped_by_queue;
  json["to_host"]["dropped"] = session.refused_by_host;
  return json;
}

// `most` of the texts, each of `longest` bytes at the most; the last one says how many are missing.
Json cut_list(const std::vector<std::string>& texts, std::size_t most, std::size_t longest) {
  Json json = Json::array();
  for (const auto& text : texts) {
    if (json.size() == most) {
      json.push_back("... and " + std::to_string(texts.size() - most) + " more");
      break;
    }
    json.push_back(text.size() <= longest ? text : text.substr(0, longest) + "...");
  }
  return json;
}

std::string cut(const std::string& text, std::size_t longest) {
  return text.size() <= longest ? text : text.substr(0, longest) + "...";
}

std::string to_line(const Record& record, std::size_t most, std::size_t longest) {
  Json json = object_for(10);
  json["time"] = rfc3339(std::chrono::floor<std::chrono::microseconds>(record.time));
  json["event"] = event_name(record.event);
  json["stage"] = stage_name(record.stage);
  json["id"] = record.id.str();
  json["caller"] = caller_json(record.caller, record.is_summary);
  if (!record.is_summary) json["request"] = request_json(record);
  if (!record.untrusted.empty()) json["untrusted"] = cut_list(record.untrusted, most, longest);
  if (!record.reason.empty()) {
    if (!record.rule.empty()) json["decision"]["rule"] = record.rule;
    json["decision"]["reason"] = cut(record.reason, 4 * longest);
  }
  if (record.stage == Stage::result) {
    Json result = object_for(8);
    if (!record.device.empty()) result["device"] = record.device;
    if (record.ifindex != 0) result["ifindex"] = record.ifindex;
    if (!record.changes.empty()) result["changes"] = cut_list(record.changes, most, longest);
    if (!record.error.empty()) result["error"] = cut(record.error, 4 * longest);
    if (record.errnum != 0) result["errno"] = errno_name(record.errnum);
    if (record.is_unfinished) result["unfinished"] = true;
    if (record.duration) result["duration_us"] = record.duration->count();
    if (record.session) result["session"] = session_json(record.ended, *record.session);
    if (record.native_session)
      result["session"] = {{"ended", record.ended},
                           {"opened", record.native_session->opened},
                           {"removed", record.native_session->removed},
                           {"refused", record.native_session->refused}};
    if (!result.empty()) json["result"] = std::move(result);
  }
  if (record.suppressed != 0) json["suppressed"] = record.suppressed;
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string_view event_name(Event event) {
  switch (event) {
    case Event::accept: return "accept";
    case Event::reject: return "reject";
    case Event::exit: return "exit";
    case Event::alert: return "alert";
  }
  return "alert";
}

std::string_view stage_name(Stage stage) { return stage == Stage::intent ? "intent" : "result"; }

std::string device_of(const Record& record) {
  if (!record.device.empty() || !record.request) return record.device;
  const auto names = names_in(*record.request);
  return names.device != nullptr ? names.device->str() : "";
}

std::string address_of(const Record& record) {
  const auto names = record.request ? names_in(*record.request) : Names{};
  return names.address != nullptr ? names.address->str() : "";
}

std::string to_line(const Record& record) {
  struct Limits {
    std::size_t most;
    std::size_t longest;
  };
  std::string line;
  for (const auto& [most, longest] : {Limits{32, 200}, Limits{16, 80}, Limits{8, 40}, Limits{4, 20}, Limits{2, 10}}) {
    line = to_line(record, most, longest);
    if (line.size() <= kMaxLine) break;
  }
  return line;
}

}  // namespace umlnet::audit
