#include "uml_net/priv/kernel_effects.h"

#include <cerrno>

#include "libumlnet/core/rtnetlink_ipv6.h"
#include "libumlnet/core/rtnetlink_names.h"
#include "libumlnet/core/traffic_control.h"
#include "uml_net/priv/tun.h"

namespace umlnet::priv {
namespace {

// The request for an address of either family.
rtnetlink::Bytes for_family(const IpAddress& address, const auto& ipv4, const auto& ipv6) {
  const auto* v4 = std::get_if<Ipv4>(&address);
  return v4 != nullptr ? ipv4(*v4) : ipv6(std::get<Ipv6>(address));
}

}  // namespace

Result<NewTap> KernelEffects::make_tap(const TapWanted& wanted) {
  const TapKind kind{.virtio_headers = wanted.virtio_headers, .several_queues = wanted.queues > 1};
  const bool moves = netns_ >= 0;
  std::vector<unique_fd> queues;
  std::optional<IfName> made;
  for (unsigned i = 0; i < wanted.queues; ++i) {
    auto tun = tuns_();
    if (!tun) return std::unexpected(std::move(tun.error()));
    if (!is_tun_device(tun->get())) return fail(Code::bug, "a descriptor that should be of /dev/net/tun is not");
    if (!made) {
      auto name = attach_new_tap(tun->get(), wanted.owner, moves ? std::nullopt : wanted.name, kind);
      if (!name) return std::unexpected(std::move(name.error()));
      made = *std::move(name);
    } else if (auto attached = attach_queue(tun->get(), *made, kind); !attached) {
      return std::unexpected(std::move(attached.error()));
    }
    queues.push_back(*std::move(tun));
  }
  if (!made) return fail(Code::bug, "a TAP device without a queue was asked for");
  const auto link = find_new_tap(queues.front().get(), *made, wanted.owner);
  if (!link) return std::unexpected(link.error());
  home_.grammar().take_new(link->ifindex);
  NewTap tap{.name = *made, .ifindex = link->ifindex, .mac = *link->mac, .mtu = link->mtu, .queues = std::move(queues)};
  if (!moves) return tap;
  if (auto moved = move(tap, wanted.name); !moved) return std::unexpected(std::move(moved.error()));
  return tap;
}

// A device is known by its number from here on. So what rtnetlink says of `name` must be what `tun` says of itself, and
// what a device is that was made a moment ago.
Result<rtnetlink::Link> KernelEffects::find_new_tap(int tun, const IfName& name, const DeviceOwner& owner) {
  const std::string doing = "cannot find the new device " + name.str();
  const auto mac = mac_of_tap(tun);
  if (!mac) return std::unexpected(mac.error());
  const auto is_owned = [&](const rtnetlink::Link& device) {
    const bool by_user = owner.kind == DeviceOwner::Kind::user;
    return device.tun_owner.has_value() == by_user && (!by_user || *device.tun_owner == owner.id);
  };
  std::optional<rtnetlink::Link> link;
  const auto read = home_.get(rtnetlink::get_link(home_.next_sequence(), name.str()), doing,
                              [&](const rtnetlink::Message& message) { link = rtnetlink::link_of(message); });
  if (!read) return fail_errno(read.error().code, read.error().errnum, doing, "Try again.");
  if (!link || link->name != name.str() || !link->tap || link->persistent || !is_owned(*link) || link->mac != *mac ||
      !link->alias.empty() || link->group != 0 || link->up)
    return fail(Code::kernel, doing + ": the device of that name is another", "Try again.");
  return *std::move(link);
}

// Its name and its number may be others there: by its MAC address it is found again.
Result<void> KernelEffects::move(NewTap& tap, const std::optional<IfName>& name) {
  const std::string wanted = name ? name->str() : "tap%d";
  if (auto moved = home_.change(rtnetlink::move_link(home_.next_sequence(), tap.ifindex, netns_, wanted)); !moved)
    return moved;
  std::optional<rtnetlink::Link> there;
  const std::string doing = "cannot find the new device in the other network namespace";
  auto found = socket_.dump(
      rtnetlink::dump_links, doing, [&] { there.reset(); },
      [&](const rtnetlink::Message& message) {
        const auto link = rtnetlink::link_of(message);
        if (link && link->tap && link->mac == tap.mac) there = link;
      });
  if (!found) return found;
  const auto given = there ? IfName::parse(there->name) : std::nullopt;
  if (!given || there->ifindex <= 0)
    return fail(Code::kernel, doing, "Somebody in that namespace was at it at the same time.");
  tap.name = *given;
  tap.ifindex = there->ifindex;
  socket_.grammar().take_new(tap.ifindex);
  tap.mtu = there->mtu;
  return {};
}

Result<void> KernelEffects::set_persistent(const NewTap& tap, bool on) {
  if (tap.queues.empty()) return fail(Code::bug, "the device's fds are gone");
  return priv::set_persistent(tap.queues.front().get(), on);
}

Result<void> KernelEffects::set_alias(int ifindex, const std::string& alias, std::uint32_t group) {
  return socket_.change(rtnetlink::set_link_alias(socket_.next_sequence(), ifindex, alias, group));
}

Result<void> KernelEffects::add_address(int ifindex, const IpInterface& address) {
  const auto sequence = socket_.next_sequence();
  return socket_.change(for_family(
      address.address,
      [&](Ipv4 v4) { return rtnetlink::add_address(sequence, ifindex, v4, Ipv4Mask(address.prefix_length)); },
      [&](const Ipv6& v6) { return rtnetlink::add_ipv6_address(sequence, ifindex, v6, address.prefix_length); }));
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

Result<void> KernelEffects::isolate_port(int ifindex) {
  return socket_.change(rtnetlink::set_port_isolation(socket_.next_sequence(), ifindex, true));
}

Result<void> KernelEffects::set_no_link_local_address(int ifindex) {
  auto set = socket_.change(rtnetlink::set_no_link_local_address(socket_.next_sequence(), ifindex));
  return set || set.error().errnum != EAFNOSUPPORT ? set : Result<void>();
}

Result<void> KernelEffects::classify_ingress(int ifindex, std::span<const sock_filter> program) {
  if (auto added = socket_.change(rtnetlink::add_clsact(socket_.next_sequence(), ifindex)); !added) return added;
  return socket_.change(rtnetlink::add_ingress_classifier(socket_.next_sequence(), ifindex, program));
}

Result<void> KernelEffects::add_route(int ifindex, const IpRange& network, const std::optional<IpAddress>& via) {
  return socket_.change(rtnetlink::add_route(socket_.next_sequence(), ifindex, network, via));
}

Result<void> KernelEffects::delete_route(int ifindex, const IpRange& network, const std::optional<IpAddress>& via) {
  return socket_.change(rtnetlink::delete_route(socket_.next_sequence(), ifindex, network, via));
}

Result<void> KernelEffects::publish(int ifindex, const IpAddress& address, std::uint8_t protocol) {
  const auto sequence = socket_.next_sequence();
  return socket_.change(for_family(
      address, [&](Ipv4 v4) { return rtnetlink::add_proxy_entry(sequence, ifindex, v4, protocol); },
      [&](const Ipv6& v6) { return rtnetlink::add_ipv6_proxy_entry(sequence, ifindex, v6, protocol); }));
}

Result<void> KernelEffects::withdraw(int ifindex, const IpAddress& address) {
  const auto sequence = socket_.next_sequence();
  return socket_.change(for_family(
      address, [&](Ipv4 v4) { return rtnetlink::delete_proxy_entry(sequence, ifindex, v4); },
      [&](const Ipv6& v6) { return rtnetlink::delete_ipv6_proxy_entry(sequence, ifindex, v6); }));
}

Result<void> KernelEffects::set_proxy_arp(int ifindex, bool on) {
  return socket_.change(rtnetlink::set_proxy_arp(socket_.next_sequence(), ifindex, on));
}

Result<void> KernelEffects::set_forwarding(int ifindex, bool on) {
  return socket_.change(rtnetlink::set_forwarding(socket_.next_sequence(), ifindex, on));
}

Result<void> KernelEffects::set_mark(int ifindex, const std::string& name, bool on) {
  const auto sequence = socket_.next_sequence();
  auto set = socket_.change(on ? rtnetlink::add_alternative_name(sequence, ifindex, name)
                               : rtnetlink::delete_alternative_name(sequence, ifindex, name));
  return set || set.error().errnum != EOPNOTSUPP ? set : Result<void>();  // before Linux 5.5
}

Result<void> KernelEffects::delete_link(int ifindex) {
  return socket_.change(rtnetlink::delete_link(socket_.next_sequence(), ifindex));
}

Result<void> KernelEffects::delete_group(std::uint32_t group) {
  auto deleted = socket_.change(rtnetlink::delete_link_group(socket_.next_sequence(), group));
  return deleted || deleted.error().errnum != ENODEV ? deleted : Result<void>();
}

}  // namespace umlnet::priv
