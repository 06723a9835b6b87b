#include "uml_net/front/native_answer.h"

#include <algorithm>

#include "libumlnet/core/json_text.h"

namespace umlnet::native5 {
namespace {

using Json = nlohmann::ordered_json;

std::string line_of(const Json& json) { return json_text(json) + "\n"; }

Json begun(std::string_view status, const std::optional<RequestId>& id) {
  Json json = {{"status", status}};
  if (id) json["id"] = id->str();
  return json;
}

Json lans_of(std::string_view names) {
  Json lans = Json::array();
  while (!names.empty()) {
    const auto end = std::min(names.find('/'), names.size());
    lans.push_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return lans;
}

void tell(Json& json, const OpenInterface& open, const Made& made) {
  json["device"] = made.device;
  json["ifindex"] = made.ifindex;
  if (made.mac) {
    json["mac"] = made.mac->str();
    json["mtu"] = made.mtu;
  }
  json["addresses"] = Json::array();
  for (const auto& address : open.addresses) json["addresses"].push_back(address.str());
  json["guests"] = Json::array();
  for (std::size_t i = 0; i < open.guests.size(); ++i)
    json["guests"].push_back({{"address", open.guests[i].compact()},
                              {"published", lans_of(i < made.published.size() ? made.published[i] : "")}});
  if (open.bridge) json["bridge"] = open.bridge->str();
  if (open.isolated) json["isolated"] = true;
  json["queues"] = open.queues;
  json["vnet_hdr"] = open.virtio_headers;
  if (open.netns) json["netns"] = true;
  json["persistent"] = open.persistent;
  json["sealed"] = open.sealed;
  json["anti_spoof"] = open.anti_spoof;
}

}  // namespace

std::string answer_for(const Request& request, const Made& made, const std::optional<RequestId>& id, std::size_t fds) {
  Json json = begun("ok", id);
  if (const auto* open = std::get_if<OpenInterface>(&request)) tell(json, *open, made);
  if (const auto* remove = std::get_if<RemoveInterface>(&request)) {
    json["device"] = remove->device.str();
    json["removed"] = true;
  }
  if (std::holds_alternative<OpenSession>(request)) json["session"] = true;
  json["fds"] = fds;
  json["notes"] = made.notes;
  return line_of(json);
}

std::string answer_to_reload(const std::optional<RequestId>& id) {
  Json json = begun("ok", id);
  json["reloaded"] = true;
  json["fds"] = 0;
  json["notes"] = Json::array();
  return line_of(json);
}

std::string policy_changed_event() { return line_of({{"event", "policy_changed"}}); }

std::string answer_for(const Error& error, const std::optional<RequestId>& id) {
  Json json = begun("error", id);
  json["code"] = code_name(error.code);
  if (error.errnum != 0) json["errno"] = errno_name(error.errnum);
  json["error"] = error.line();
  json["advice"] = error.advice;
  return line_of(json);
}

}  // namespace umlnet::native5
