// How the helper is installed: what gives it its privilege.
#pragma once

#include <string>

#include "libumlnet/cli/doctor_check.h"

namespace umlnet::cli {

enum class Installation {
  missing,
  none,     // no privilege: only root gets anything of it
  setuid,   // set-user-ID root
  filecap,  // a file capability
};

Installation installation_of(const Examination& examination);

// Whether an attribute security.capability, in any version, permits CAP_NET_ADMIN.
bool permits_net_admin(const std::string& attribute);

// The name of a group, or its number where it has none.
std::string group_name(const HostView& host, gid_t group);

Finding examine_helper(const Examination& examination);
Finding examine_mount(const Examination& examination);
Finding examine_access(const Examination& examination);
Finding examine_version(const Examination& examination);
Finding examine_path(const Examination& examination);
// Whether a program that this process starts gains privilege at all: not in some containers and sandboxes.
Finding examine_confinement(const Examination& examination);

}  // namespace umlnet::cli
