// What the toolkit writes into the alias (IFLA_IFALIAS) of each device it makes: who made it and by which request.
//
//   uml_net uid=1001 id=4f2c...e1 tuntap gateway=10.99.0.254
//
// Only CAP_NET_ADMIN can change an alias, while the holder of a TAP's fd can change the TUN owner: so the alias says
// whose the device is.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "libumlnet/core/request_id.h"

namespace umlnet {

struct DeviceTag {
  uid_t uid;
  RequestId id;
  std::string request;  // for people: the operation and what it named

  std::string str() const;
  static std::optional<DeviceTag> parse(std::string_view alias);
};

}  // namespace umlnet
