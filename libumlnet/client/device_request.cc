#include "libumlnet/client/device_request.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "libumlnet/core/native5_arguments.h"

namespace umlnet::client {
namespace {

void put(std::vector<std::string>& words, const char* option, const char* value) {
  if (value != nullptr) words.push_back(std::string(option) + "=" + value);
}

void put_all(std::vector<std::string>& words, const char* option, const char* const* values) {
  for (; values != nullptr && *values != nullptr; ++values) put(words, option, *values);
}

void put_number(std::vector<std::string>& words, const char* option, unsigned value) {
  if (value != 0) words.push_back(std::string(option) + "=" + std::to_string(value));
}

void put_flag(std::vector<std::string>& words, const char* option, int on) {
  if (on != 0) words.emplace_back(option);
}

}  // namespace

Outcome<DeviceRequest> DeviceRequest::of(const umlnet_device_request* request) {
  // A program that was built with an earlier header knows fewer members.
  umlnet_device_request given = UMLNET_DEVICE_REQUEST_INIT;
  if (request != nullptr) {
    if (request->size < offsetof(umlnet_device_request, anti_spoof) + sizeof given.anti_spoof)
      return failed(UMLNET_INVALID, "the request for a device is not filled in (UMLNET_DEVICE_REQUEST_INIT)");
    std::memcpy(&given, request, std::min(request->size, sizeof given));
  }
  std::vector<std::string> words = {"open"};
  put(words, "device", given.device);
  put_all(words, "address", given.addresses);
  put_all(words, "guest", given.guests);
  put(words, "guest-mac", given.guest_mac);
  put_all(words, "guest-mac", given.guest_macs);
  put(words, "bridge", given.bridge);
  put_number(words, "mtu", given.mtu);
  put(words, "mac", given.mac);
  put_number(words, "queues", given.queues);
  put(words, "owner", given.owner);
  if (given.netns >= 0) words.emplace_back("netns=0");
  put_flag(words, "isolated", given.isolated);
  put_flag(words, "vnet-hdr", given.vnet_hdr);
  put_flag(words, "persist", given.persistent);
  put_flag(words, "sealed", given.sealed);
  put_flag(words, "anti-spoof", given.anti_spoof);
  const auto parsed = native5::parse_record(native5::to_record(words));
  if (!parsed) return failed_by(UMLNET_INVALID, parsed.error());
  DeviceRequest result;
  result.wanted_ = std::get<OpenInterface>(*parsed);
  result.netns_ = std::max(given.netns, -1);
  return result;
}

std::vector<std::string> DeviceRequest::words(int netns) const {
  OpenInterface named = wanted_;
  if (named.netns) named.netns = netns;
  return native5::words_of(named);
}

std::string DeviceRequest::what() const {
  return wanted_.device ? "open " + wanted_.device->str() : std::string("open a device");
}

}  // namespace umlnet::client
