// Whether guests can configure the host by router advertisements.
#pragma once

#include "libumlnet/cli/doctor_check.h"

namespace umlnet::cli {

// On TAP devices that are no bridge port the helper drops them. On a bridge that a rule grants, the host's own settings
// decide.
Finding examine_bridge_advertisements(const Examination& examination);

}  // namespace umlnet::cli
