// Programs that configure network devices by themselves, and may take over a TAP that uml_net has made.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/cli/doctor_check.h"

namespace umlnet::cli {

Finding examine_network_manager(const Examination& examination);
Finding examine_networkd(const Examination& examination);

// Of a key file: [section], key=value, # comment.
struct Setting {
  std::string section;
  std::string key;
  std::string value;
};
std::vector<Setting> settings_in(std::string_view text);

// Whether NetworkManager leaves a device `tap0` alone that is not its own, by its configuration files in the order in
// which they count (NetworkManager.conf(5)).
bool network_manager_leaves_taps(const std::vector<std::string>& files);

// Whether a .network file of systemd-networkd speaks of a TAP device `tap0`, and if so, whether it leaves it alone
// (systemd.network(5)).
enum class NetworkFile { of_others, leaves_alone, takes_over };
NetworkFile what_of_taps(std::string_view text);

}  // namespace umlnet::cli
