// Whether a deny rule can match a request that there is. One that cannot is a mistake: it would deny nothing.
#pragma once

#include <vector>

#include "libumlnet/core/ip_range.h"
#include "policy/device_pattern.h"
#include "policy/policy.h"

namespace umlnet::policy {

bool has_ipv4(const std::vector<IpRange>& ranges);

// Whether one of them matches a name that a device can have.
bool has_name(const std::vector<DevicePattern>& patterns);

bool can_deny_anything(const Rule& rule);

}  // namespace umlnet::policy
