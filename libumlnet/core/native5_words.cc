#include "libumlnet/core/native5_words.h"

namespace umlnet::native5 {

std::vector<std::string> words_of(const OpenInterface& request) {
  std::vector<std::string> words = {"open"};
  const auto put = [&](std::string_view option, const std::string& value) {
    words.push_back(std::string(option) + "=" + value);
  };
  if (request.device) put("device", request.device->str());
  for (const auto& address : request.addresses) put("address", address.str());
  for (const auto& guest : request.guests) put("guest", guest.compact());
  for (const auto& mac : request.guest_macs) put("guest-mac", mac.str());
  if (request.bridge) put("bridge", request.bridge->str());
  if (request.mtu) put("mtu", std::to_string(*request.mtu));
  if (request.mac) put("mac", request.mac->str());
  if (request.queues != 1) put("queues", std::to_string(request.queues));
  if (request.owner) put("owner", request.owner->str());
  if (request.netns) put("netns", std::to_string(*request.netns));
  for (const auto& [name, member] : kFlags)
    if (request.*member) words.emplace_back(name);
  return words;
}

std::vector<std::string> words_of(const RemoveInterface& request) {
  return {"remove", "device=" + request.device.str()};
}

std::string to_record(std::span<const std::string> words) {
  std::string record;
  for (const auto& word : words) record += word + '\0';
  return record;
}

}  // namespace umlnet::native5
