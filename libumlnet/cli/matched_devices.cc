#include "libumlnet/cli/matched_devices.h"

namespace umlnet::cli {

std::set<std::string> matched_devices(const std::vector<policy::DevicePattern>& patterns, const policy::HostState& host,
                                      const std::function<bool(const rtnetlink::Link&)>& wanted) {
  std::set<std::string> names;
  for (const auto& pattern : patterns) {
    if (pattern.is_name()) {
      const auto* link = host.link(pattern.str());
      names.insert(link != nullptr ? link->name : pattern.str());
      continue;
    }
    bool matches = false;
    for (const auto& link : host.links) {
      if (link.loopback || policy::made_for(link) || !policy::match_any({pattern}, link)) continue;
      matches = true;
      if (wanted(link)) names.insert(link.name);
    }
    if (!matches) names.insert(pattern.str());
  }
  return names;
}

}  // namespace umlnet::cli
