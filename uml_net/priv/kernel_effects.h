// The effects on the real kernel, by tun ioctls and rtnetlink. Each needs CAP_NET_ADMIN in effect.
#pragma once

#include "uml_net/priv/host_effects.h"
#include "uml_net/priv/rtnetlink_socket.h"

namespace umlnet::priv {

class KernelEffects : public HostEffects {
 public:
  // `tun` is an fd open on /dev/net/tun, not tied to a device yet, or why there is none; it becomes the first TAP that
  // is made. `socket` is borrowed.
  KernelEffects(Result<unique_fd> tun, RtnetlinkSocket& socket) : tun_(std::move(tun)), socket_(socket) {}

  Result<NewTap> make_tap(uid_t owner, const std::optional<IfName>& name, TapFrames frames) override;
  Result<void> set_alias(int ifindex, const std::string& alias) override;
  Result<void> add_address(int ifindex, Ipv4 address) override;
  Result<void> set_up(int ifindex) override;
  Result<void> set_mtu(int ifindex, unsigned mtu) override;
  Result<void> set_mac(int ifindex, const MacAddress& mac) override;
  Result<void> set_master(int ifindex, int bridge) override;
  Result<void> add_route(int ifindex, Ipv4 address) override;
  Result<void> delete_route(int ifindex, Ipv4 address) override;
  Result<void> publish(int ifindex, Ipv4 address, std::uint8_t protocol) override;
  Result<void> withdraw(int ifindex, Ipv4 address) override;
  Result<void> set_proxy_arp(int ifindex, bool on) override;
  Result<void> set_forwarding(int ifindex, bool on) override;
  Result<void> delete_link(int ifindex) override;

 private:
  Result<unique_fd> tun_;
  RtnetlinkSocket& socket_;
};

}  // namespace umlnet::priv
