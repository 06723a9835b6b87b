#include "policy/quota_usage.h"

namespace umlnet::policy {

unsigned address_count(const IpRange& guest) {
  return std::holds_alternative<Ipv4>(guest.first()) && guest.length() > 0 ? 1U << (32 - guest.length()) : 1;
}

Demand demand_of(const Request& request) {
  struct Visitor {
    Demand operator()(const MakeTap&) const { return {.devices = 1}; }
    Demand operator()(const OpenEthertap&) const { return {.devices = 1}; }
    Demand operator()(const MakeBridgedTap& tap) const { return {.devices = 1, .bridge = tap.bridge}; }
    Demand operator()(const AddAddress&) const { return {.addresses = 1}; }
    Demand operator()(const DeleteAddress&) const { return {}; }
    Demand operator()(const OpenInterface& open) const {
      // On a bridge the guest's addresses take no route.
      unsigned addresses = 0;
      if (!open.bridge)
        for (const auto& guest : open.guests) addresses += address_count(guest);
      return {.devices = 1, .addresses = addresses, .bridge = open.bridge};
    }
    Demand operator()(const RemoveInterface&) const { return {}; }
    Demand operator()(const OpenSession&) const { return {}; }
    Demand operator()(const CollectGarbage&) const { return {}; }
  };
  return std::visit(Visitor{}, request);
}

}  // namespace umlnet::policy
