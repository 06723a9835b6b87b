#include "policy/host_state_scope.h"

#include <algorithm>

namespace umlnet::policy {

namespace {

bool is_ipv4(const IpInterface& address) { return std::holds_alternative<Ipv4>(address.address); }

struct Of {
  // Who has its address, and whose gateway it is.
  HostStateScope operator()(const MakeTap& request) const {
    return request.gateway ? HostStateScope::ipv4_addresses : HostStateScope::devices;
  }
  HostStateScope operator()(const OpenEthertap& request) const {
    return request.gateway ? HostStateScope::ipv4_addresses : HostStateScope::devices;
  }
  HostStateScope operator()(const OpenInterface& request) const {
    if (!request.guests.empty()) return HostStateScope::everything;
    if (request.addresses.empty()) return HostStateScope::devices;
    return std::ranges::all_of(request.addresses, is_ipv4) ? HostStateScope::ipv4_addresses : HostStateScope::addresses;
  }
  HostStateScope operator()(const MakeBridgedTap&) const { return HostStateScope::devices; }
  HostStateScope operator()(const RemoveInterface&) const { return HostStateScope::devices; }
  HostStateScope operator()(const CollectGarbage&) const { return HostStateScope::devices; }
  HostStateScope operator()(const OpenSession&) const { return HostStateScope::devices; }
  HostStateScope operator()(const AddAddress&) const { return HostStateScope::everything; }
  HostStateScope operator()(const DeleteAddress&) const { return HostStateScope::everything; }
};

}  // namespace

HostStateScope extent_of(const Request& request) { return std::visit(Of{}, request); }

}  // namespace umlnet::policy
