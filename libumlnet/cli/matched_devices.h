// The devices of a host that patterns of the policy match.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "policy/device_pattern.h"
#include "policy/host_state.h"

namespace umlnet::cli {

// By the names that the kernel gives them. A pattern that matches no device stands for itself, so that somebody can say
// so. Of a pattern with wildcards only the devices that `wanted` takes, without loopback and the devices of guests.
std::set<std::string> matched_devices(const std::vector<policy::DevicePattern>& patterns, const policy::HostState& host,
                                      const std::function<bool(const rtnetlink::Link&)>& wanted);

}  // namespace umlnet::cli
