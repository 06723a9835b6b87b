// What the toolkit writes into the alias (IFLA_IFALIAS) of each device it makes: who made it, by which request and
// when.
//
//   uml_net uid=1001 id=4f2c...e1 since=2026-11-24T09:14:03Z tuntap gateway=10.99.0.254
//   uml_net uid=1001 id=4f2c...e2 since=2026-11-24T09:14:05Z persistent open persist device=tap7
//   uml_net uid=1001 id=4f2c...e3 since=2026-11-24T09:14:06Z persistent owner=1002 open persist device=tap8
//
// Only CAP_NET_ADMIN can change an alias, while the holder of a TAP's fd can change the TUN owner: so the alias says
// whose the device is.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "libumlnet/core/request.h"
#include "libumlnet/core/request_id.h"

namespace umlnet {

struct DeviceTag {
  static constexpr std::size_t kMaxSize = 255;  // bytes: IFALIASZ of linux/if.h, less the NUL behind them

  uid_t uid;
  RequestId id;
  // The kernel does not know how old a device is. Nothing: an older helper made it, which did not write that down.
  std::optional<std::chrono::sys_seconds> since;
  std::string request;                    // for people: the operation and what it named
  bool persistent = false;                // made to outlive its fds, so that nobody's holding it makes it no garbage
  std::optional<DeviceOwner> owner = {};  // who may attach to it, where that is not `uid`

  // The alias. Where the request's words are too many for one, the last of them are cut, and " ..." says so.
  std::string str() const;
  static std::optional<DeviceTag> parse(std::string_view alias);
};

}  // namespace umlnet
