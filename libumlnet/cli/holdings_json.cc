#include "libumlnet/cli/holdings_json.h"

#include "libumlnet/cli/user_names.h"
#include "libumlnet/core/json_text.h"
#include "libumlnet/core/timestamp.h"

namespace umlnet::cli {
namespace {

using Json = nlohmann::ordered_json;

Json leftover_json(const Leftover& leftover) {
  return {{"what", leftover.what}, {"why", leftover.why}, {"remedy", leftover.remedy}};
}

Json device_json(const Holdings::Device& device) {
  Json json = {{"device", device.name}, {"ifindex", device.ifindex}, {"uid", device.uid}};
  if (const auto name = user_name_of(device.uid)) json["user"] = *name;
  json["id"] = device.id;
  json["request"] = device.request;
  if (device.since) json["since"] = rfc3339(*device.since);
  json["up"] = device.up;
  json["queues"] = device.queues;
  json["persistent"] = device.persistent;
  json["sealed"] = device.sealed;
  json["isolated"] = device.isolated;
  json["holders"] = Json::array();
  for (const auto& holder : device.holders) {
    Json process = {{"pid", holder.pid}, {"uid", holder.uid}, {"command", holder.command}};
    if (holder.elsewhere) process["elsewhere"] = true;
    json["holders"].push_back(std::move(process));
  }
  json["gateways"] = device.gateways;
  json["guests"] = Json::array();
  for (const auto& guest : device.guests) json["guests"].push_back({{"address", guest.address}, {"lans", guest.lans}});
  if (!device.bridge.empty()) json["bridge"] = device.bridge;
  json["rx"] = {{"packets", device.rx_packets}, {"bytes", device.rx_bytes}};
  json["tx"] = {{"packets", device.tx_packets}, {"bytes", device.tx_bytes}, {"dropped", device.tx_dropped}};
  if (device.leftover) json["leftover"] = leftover_json(*device.leftover);
  return json;
}

}  // namespace

std::string holdings_json(const Holdings& holdings) {
  Json json = {{"devices", Json::array()}, {"lans", Json::array()}, {"leftovers", Json::array()}};
  for (const auto& device : holdings.devices) json["devices"].push_back(device_json(device));
  for (const auto& lan : holdings.lans) json["lans"].push_back({{"device", lan.name}, {"addresses", lan.addresses}});
  for (const auto& leftover : holdings.leftovers) json["leftovers"].push_back(leftover_json(leftover));
  return json_text(json, 2) + "\n";
}

}  // namespace umlnet::cli
