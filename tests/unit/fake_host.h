// A host of plain values for tests of decisions and plans: devices, LANs and routes in a line each.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libumlnet/core/boot_time.h"
#include "libumlnet/core/request.h"
#include "policy/caller.h"
#include "policy/host_state.h"

namespace umlnet::test {

inline Ipv4 ip(const char* text) { return *Ipv4::parse(text); }

inline rtnetlink::Link tap(int ifindex, const std::string& name, uid_t uid) {
  rtnetlink::Link link;
  link.ifindex = ifindex;
  link.name = name;
  link.up = link.carrier = link.tap = true;
  link.kind = "tun";
  link.alias = DeviceTag{uid, RequestId({}), std::nullopt, "tuntap"}.str();
  link.tun_owner = uid;
  return link;
}

inline rtnetlink::Link lan(int ifindex, const std::string& name, bool forwarding = false) {
  rtnetlink::Link link;
  link.ifindex = ifindex;
  link.name = name;
  link.up = link.carrier = true;
  link.kind = "veth";
  link.ipv4.forwarding = forwarding;
  return link;
}

inline rtnetlink::Link bridge(int ifindex, const std::string& name, unsigned mtu = 1500) {
  rtnetlink::Link link;
  link.ifindex = ifindex;
  link.name = name;
  link.up = true;
  link.kind = "bridge";
  link.mtu = mtu;
  return link;
}

inline rtnetlink::Route route(const char* network, unsigned length, int ifindex, std::uint8_t protocol = 2) {
  return {.destination = ip(network),
          .mask = Ipv4Mask(length),
          .ifindex = ifindex,
          .gateway = std::nullopt,
          .protocol = protocol};
}

inline rtnetlink::Route guest_route(const char* address, int ifindex) {
  return route(address, 32, ifindex, rtnetlink::kProtocol);
}

// eth0 with 10.50.0.1/24 behind gateway 10.50.0.254, and tap0 of uid 1001 with 10.99.0.254.
inline policy::HostState small_host() {
  policy::HostState host;
  host.read_at = boot_time();
  host.links = {lan(2, "eth0"), tap(3, "tap0", 1001)};
  host.addresses = {{2, ip("10.50.0.1"), Ipv4Mask(24), ip("10.50.0.255")}, {3, ip("10.99.0.254"), Ipv4Mask(32), {}}};
  host.routes = {route("10.50.0.0", 24, 2), route("0.0.0.0", 0, 2)};
  host.routes[1].gateway = ip("10.50.0.254");
  return host;
}

inline AddAddress add(const char* device, const char* address, const char* mask = "255.255.255.0") {
  return {*IfName::parse(device), ip(address), *Ipv4Mask::parse(mask)};
}

inline DeleteAddress del(const char* device, const char* address, const char* mask = "255.255.255.0") {
  return {*IfName::parse(device), ip(address), *Ipv4Mask::parse(mask)};
}

inline MakeBridgedTap bridged(const char* name) { return {.bridge = *IfName::parse(name), .virtio_headers = false}; }

inline policy::Caller caller(uid_t uid, std::vector<gid_t> groups = {}) {
  return {
      .uid = uid, .gid = uid, .groups = std::move(groups), .pid = 1, .user = std::nullopt, .loginuid = std::nullopt};
}

}  // namespace umlnet::test
