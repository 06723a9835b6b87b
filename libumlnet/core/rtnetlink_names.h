// Alternative names of devices, as rtnetlink messages (linux/if_link.h: IFLA_PROP_LIST, since Linux 5.5).
#pragma once

#include <cstdint>
#include <string_view>

#include "libumlnet/core/rtnetlink.h"

namespace umlnet::rtnetlink {

// `name` has 127 bytes at most, and is unique among all names in the network namespace: fails with EEXIST otherwise.
Bytes add_alternative_name(std::uint32_t sequence, int ifindex, std::string_view name);
// Fails with ENOENT where the device has no such name.
Bytes delete_alternative_name(std::uint32_t sequence, int ifindex, std::string_view name);

}  // namespace umlnet::rtnetlink
