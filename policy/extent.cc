#include "policy/extent.h"

#include <algorithm>

namespace umlnet::policy {

namespace {

bool is_ipv4(const IpInterface& address) { return std::holds_alternative<Ipv4>(address.address); }

struct Of {
  // Who has its address, and whose gateway it is.
  Extent operator()(const MakeTap& request) const { return request.gateway ? Extent::ipv4_addresses : Extent::devices; }
  Extent operator()(const OpenEthertap& request) const {
    return request.gateway ? Extent::ipv4_addresses : Extent::devices;
  }
  Extent operator()(const OpenInterface& request) const {
    if (!request.guests.empty()) return Extent::everything;
    if (request.addresses.empty()) return Extent::devices;
    return std::ranges::all_of(request.addresses, is_ipv4) ? Extent::ipv4_addresses : Extent::addresses;
  }
  Extent operator()(const MakeBridgedTap&) const { return Extent::devices; }
  Extent operator()(const RemoveInterface&) const { return Extent::devices; }
  Extent operator()(const CollectGarbage&) const { return Extent::devices; }
  Extent operator()(const OpenSession&) const { return Extent::devices; }
  Extent operator()(const AddAddress&) const { return Extent::everything; }
  Extent operator()(const DeleteAddress&) const { return Extent::everything; }
};

}  // namespace

Extent extent_of(const Request& request) { return std::visit(Of{}, request); }

}  // namespace umlnet::policy
