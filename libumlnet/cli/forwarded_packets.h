// What happens to packets between the guests and the LANs of the host.
#pragma once

#include "libumlnet/cli/doctor_check.h"

namespace umlnet::cli {

Finding examine_lan(const Examination& examination);
Finding examine_forwarding(const Examination& examination);
Finding examine_firewall(const Examination& examination);
// Frames between the ports of a bridge that go through the firewall, as Docker has it.
Finding examine_bridge_filter(const Examination& examination);
Finding examine_reverse_path(const Examination& examination);
Finding examine_leftovers(const Examination& examination);

}  // namespace umlnet::cli
