// The effects on the real kernel, by tun ioctls and rtnetlink. Each needs CAP_NET_ADMIN in effect.
#pragma once

#include <functional>

#include "uml_net/priv/host_effects.h"
#include "uml_net/priv/rtnetlink_socket.h"

namespace umlnet::priv {

// An fd open on /dev/net/tun, in the helper's own network namespace and not tied to a device, each time it is called.
using TunSource = std::function<Result<unique_fd>()>;

class KernelEffects : public HostEffects {
 public:
  // On the helper's own network namespace, which `socket` (borrowed) speaks of.
  KernelEffects(TunSource tuns, RtnetlinkSocket& socket) : tuns_(std::move(tuns)), home_(socket), socket_(socket) {}
  // On the network namespace of the descriptor `netns`, which `there` speaks of. Its devices are made at home, of which
  // `home` speaks, and moved. All is borrowed.
  KernelEffects(TunSource tuns, RtnetlinkSocket& home, RtnetlinkSocket& there, int netns)
      : tuns_(std::move(tuns)), home_(home), socket_(there), netns_(netns) {}

 private:
  Result<NewTap> make_tap(const TapWanted& wanted) override;
  Result<void> set_persistent(const NewTap& tap, bool on) override;
  Result<void> set_alias(int ifindex, const std::string& alias, std::uint32_t group) override;
  Result<void> add_address(int ifindex, const IpInterface& address) override;
  Result<void> set_up(int ifindex) override;
  Result<void> set_mtu(int ifindex, unsigned mtu) override;
  Result<void> set_mac(int ifindex, const MacAddress& mac) override;
  Result<void> set_master(int ifindex, int bridge) override;
  Result<void> isolate_port(int ifindex) override;
  Result<void> set_no_link_local_address(int ifindex) override;
  Result<void> classify_ingress(int ifindex, std::span<const sock_filter> program) override;
  Result<void> add_route(int ifindex, const IpRange& network, const std::optional<IpAddress>& via) override;
  Result<void> delete_route(int ifindex, const IpRange& network, const std::optional<IpAddress>& via) override;
  Result<void> publish(int ifindex, const IpAddress& address, std::uint8_t protocol) override;
  Result<void> withdraw(int ifindex, const IpAddress& address) override;
  Result<void> set_proxy_arp(int ifindex, bool on) override;
  Result<void> set_forwarding(int ifindex, bool on) override;
  Result<void> set_mark(int ifindex, const std::string& name, bool on) override;
  Result<void> delete_link(int ifindex) override;
  Result<void> delete_group(std::uint32_t group) override;

  Result<rtnetlink::Link> find_new_tap(int tun, const IfName& name, const DeviceOwner& owner);
  Result<void> move(NewTap& tap, const std::optional<IfName>& name);

  TunSource tuns_;
  RtnetlinkSocket& home_;
  RtnetlinkSocket& socket_;
  int netns_ = -1;
};

}  // namespace umlnet::priv
