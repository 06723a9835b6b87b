#include "libumlnet/cli/doctor_check.h"

#include "libumlnet/cli/forwarded_packets.h"
#include "libumlnet/cli/guest_kernel.h"
#include "libumlnet/cli/installed_helper.h"
#include "libumlnet/cli/network_managers.h"
#include "libumlnet/cli/router_advertisements.h"
#include "libumlnet/cli/trusted_places.h"

namespace umlnet::cli {

std::span<const Check> all_checks() {
  static constexpr Check kChecks[] = {
      {"helper", examine_helper},
      {"mount", examine_mount},
      {"access", examine_access},
      {"version", examine_version},
      {"path", examine_path},
      {"confinement", examine_confinement},
      {"tun", examine_tun},
      {"policy", examine_policy},
      {"rules", examine_rules},
      {"audit-log", examine_audit_log},
      {"refusals", examine_refusals},
      {"journal", examine_journal},
      {"lan", examine_lan},
      {"forwarding", examine_forwarding},
      {"firewall", examine_firewall},
      {"bridge-filter", examine_bridge_filter},
      {"bridge-ra", examine_bridge_advertisements},
      {"rp-filter", examine_reverse_path},
      {"NetworkManager", examine_network_manager},
      {"networkd", examine_networkd},
      {"leftovers", examine_leftovers},
      {"linux.uml", examine_guest_kernel},
  };
  return kChecks;
}

}  // namespace umlnet::cli
