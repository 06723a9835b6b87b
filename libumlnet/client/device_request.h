// What a host program asks a device to be, as the words of the native protocol.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libumlnet/client/failure.h"
#include "libumlnet/core/request.h"

namespace umlnet::client {

class DeviceRequest {
 public:
  // Copies what `request` says. UMLNET_INVALID where the protocol has no such request, in the protocol's words; whether
  // it is granted, the helper says.
  static Outcome<DeviceRequest> of(const umlnet_device_request* request);

  // "open" and its options. The descriptor of the network namespace is called `netns` where there is one.
  std::vector<std::string> words(int netns) const;
  // Borrowed from the host program; -1: none.
  int netns() const { return netns_; }
  const OpenInterface& wanted() const { return wanted_; }
  // "open tap7", "open a device": for messages.
  std::string what() const;

 private:
  OpenInterface wanted_;
  int netns_ = -1;
};

}  // namespace umlnet::client
