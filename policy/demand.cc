#include "policy/demand.h"

namespace umlnet::policy {

Demand demand_of(const Request& request) {
  struct Visitor {
    Demand operator()(const MakeTap&) const { return {.devices = 1}; }
    Demand operator()(const OpenEthertap&) const { return {.devices = 1}; }
    Demand operator()(const MakeBridgedTap& tap) const { return {.devices = 1, .bridge = tap.bridge}; }
    Demand operator()(const AddAddress&) const { return {.addresses = 1}; }
    Demand operator()(const DeleteAddress&) const { return {}; }
    Demand operator()(const OpenInterface& open) const {
      // On a bridge the guest's addresses take no route.
      return {.devices = 1,
              .addresses = open.bridge ? 0 : static_cast<unsigned>(open.guests.size()),
              .bridge = open.bridge};
    }
    Demand operator()(const RemoveInterface&) const { return {}; }
    Demand operator()(const OpenSession&) const { return {}; }
    Demand operator()(const CollectGarbage&) const { return {}; }
  };
  return std::visit(Visitor{}, request);
}

}  // namespace umlnet::policy
