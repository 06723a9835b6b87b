#include "uml_net/priv/kernel_effects.h"

#include "uml_net/priv/tun.h"

namespace umlnet::priv {

Result<NewTap> KernelEffects::make_tap(uid_t owner, const std::optional<IfName>& wanted, TapFrames frames) {
  if (!tun_) return std::unexpected(tun_.error());
  if (!*tun_) return fail(Code::bug, "one helper makes one TAP device, and it is made already");
  unique_fd tun = std::move(*tun_);
  const auto name = attach_new_tap(tun.get(), owner, wanted, frames);
  if (!name) return std::unexpected(name.error());
  std::optional<rtnetlink::Link> link;
  const auto found = socket_.get(rtnetlink::get_link(socket_.next_sequence(), name->str()),
                                 "cannot find the new device " + name->str(),
                                 [&](const rtnetlink::Message& message) { link = rtnetlink::link_of(message); });
  if (!found) return std::unexpected(found.error());
  if (!link || link->ifindex <= 0 || !link->mac)
    return fail(Code::bug, "the kernel does not know the new device " + name->str());
  return NewTap{.name = *name, .ifindex = link->ifindex, .mac = *link->mac, .fd = std::move(tun)};
}

Result<void> KernelEffects::set_alias(int ifindex, const std::string& alias) {
  return socket_.change(rtnetlink::set_link_alias(socket_.next_sequence(), ifindex, alias));
}

Result<void> KernelEffects::add_address(int ifindex, Ipv4 address) {
  return socket_.change(rtnetlink::add_address(socket_.next_sequence(), ifindex, address));
}

Result<void> KernelEffects::set_up(int ifindex) {
  return socket_.change(rtnetlink::set_link_up(socket_.next_sequence(), ifindex));
}

Result<void> KernelEffects::set_mtu(int ifindex, unsigned mtu) {
  return socket_.change(rtnetlink::set_link_mtu(socket_.next_sequence(), ifindex, mtu));
}

Result<void> KernelEffects::set_mac(int ifindex, const MacAddress& mac) {
  return socket_.change(rtnetlink::set_link_mac(socket_.next_sequence(), ifindex, mac));
}

Result<void> KernelEffects::set_master(int ifindex, int bridge) {
  return socket_.change(rtnetlink::set_link_master(socket_.next_sequence(), ifindex, bridge));
}

Result<void> KernelEffects::add_route(int ifindex, Ipv4 address) {
  return socket_.change(rtnetlink::add_host_route(socket_.next_sequence(), ifindex, address));
}

Result<void> KernelEffects::delete_route(int ifindex, Ipv4 address) {
  return socket_.change(rtnetlink::delete_host_route(socket_.next_sequence(), ifindex, address));
}

Result<void> KernelEffects::publish(int ifindex, Ipv4 address, std::uint8_t protocol) {
  return socket_.change(rtnetlink::add_proxy_entry(socket_.next_sequence(), ifindex, address, protocol));
}

Result<void> KernelEffects::withdraw(int ifindex, Ipv4 address) {
  return socket_.change(rtnetlink::delete_proxy_entry(socket_.next_sequence(), ifindex, address));
}

Result<void> KernelEffects::set_proxy_arp(int ifindex, bool on) {
  return socket_.change(rtnetlink::set_proxy_arp(socket_.next_sequence(), ifindex, on));
}

Result<void> KernelEffects::set_forwarding(int ifindex, bool on) {
  return socket_.change(rtnetlink::set_forwarding(socket_.next_sequence(), ifindex, on));
}

Result<void> KernelEffects::delete_link(int ifindex) {
  return socket_.change(rtnetlink::delete_link(socket_.next_sequence(), ifindex));
}

}  // namespace umlnet::priv
