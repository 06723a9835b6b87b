#include "libumlnet/cli/router_advertisements.h"

#include <algorithm>
#include <set>

#include "libumlnet/cli/kernel_setting.h"
#include "libumlnet/cli/matched_devices.h"

namespace umlnet::cli {
namespace {

// As the kernel decides it (ipv6_accept_ra() in include/net/ipv6.h).
bool accepts_router_advertisements(const HostView& host, const std::string& device) {
  const auto setting = [&](const char* name) {
    return kernel_setting(host, "/proc/sys/net/ipv6/conf/" + device + "/" + name);
  };
  if (setting("disable_ipv6") != 0) return false;
  const auto accepts = setting("accept_ra");
  return accepts == 2 || (accepts == 1 && setting("forwarding") == 0);
}

}  // namespace

Finding examine_bridge_advertisements(const Examination& examination) {
  const auto facts = examination.host.policy();
  if (!facts) return cannot_tell("which bridges guests may be put on is in the policy");
  std::set<std::string> granted, accepting;
  const auto host = examination.host.network();
  const auto is_bridge = [](const rtnetlink::Link& link) { return link.kind == "bridge"; };
  for (const auto& rule : facts->policy.rules)
    if (rule.effect == policy::Effect::allow && rule.bridges && !rule.anti_spoof)
      granted.merge(matched_devices(*rule.bridges, host ? *host : policy::HostState(), is_bridge));
  std::string names, commands;
  for (const auto& bridge : granted) {
    if (!accepts_router_advertisements(examination.host, bridge)) continue;
    names += (names.empty() ? "" : ", ") + bridge;
    // sysctl(8) takes a dot within a name as a slash.
    std::string key = bridge;
    std::ranges::replace(key, '.', '/');
    commands += (commands.empty() ? "" : " && ") + ("sysctl -w net.ipv6.conf." + key + ".accept_ra=0");
  }
  if (!names.empty())
    return warning("this host accepts IPv6 router advertisements from the bridge " + names +
                       ": a guest on it can give the host a default route and addresses",
                   commands);
  return ok(granted.empty() ? "no rule grants a bridge without anti_spoof"
                            : "this host accepts no router advertisements from the bridges that rules grant");
}

}  // namespace umlnet::cli
