#include "uml_net/channel/wire_request.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "libumlnet/core/open_options.h"

namespace umlnet {
namespace {

template <class Bytes>
void copy_bytes(const Bytes& from, auto& to) {
  std::copy_n(from.begin(), from.size(), to.begin());
}

WireAddress encode(const IpAddress& address, unsigned length) {
  WireAddress wire{.length = static_cast<std::uint8_t>(length)};
  wire.is_ipv6 = std::holds_alternative<Ipv6>(address);
  std::visit([&](const auto& one) { copy_bytes(one.bytes(), wire.bytes); }, address);
  return wire;
}

void put_name(const IfName& name, std::array<char, IfName::kAlternativeSize>& place) {
  std::copy_n(name.str().begin(), std::min(name.str().size(), place.size() - 1), place.begin());
}

struct Encode {
  WireRequest& wire;

  void gateway(const std::optional<Ipv4>& gateway) const {
    wire.has_gateway = gateway.has_value();
    if (gateway) wire.address = encode(IpAddress(*gateway), 32);
  }
  void change(const auto& request) const {
    put_name(request.device, wire.device);
    wire.address = encode(IpAddress(request.address), request.netmask.length());
  }

  void operator()(const MakeTap& request) const { gateway(request.gateway); }
  void operator()(const OpenEthertap& request) const {
    put_name(request.device, wire.device);
    gateway(request.gateway);
  }
  void operator()(const MakeBridgedTap& request) const {
    put_name(request.bridge, wire.bridge);
    wire.virtio_headers = request.virtio_headers;
  }
  void operator()(const AddAddress& request) const { change(request); }
  void operator()(const DeleteAddress& request) const { change(request); }
  void operator()(const OpenInterface& request) const {
    if (request.device) put_name(*request.device, wire.device);
    if (request.bridge) put_name(*request.bridge, wire.bridge);
    for (const auto& address : request.addresses)
      wire.addresses[wire.address_count++] = encode(address.address, address.prefix_length);
    for (const auto& guest : request.guests) wire.guests[wire.guest_count++] = encode(guest.first(), guest.length());
    for (const auto& mac : request.guest_macs) wire.guest_macs[wire.guest_mac_count++] = mac.bytes();
    wire.has_mtu = request.mtu.has_value(), wire.mtu = request.mtu.value_or(0);
    wire.has_mac = request.mac.has_value();
    if (request.mac) wire.mac = request.mac->bytes();
    wire.has_netns = request.netns.has_value(), wire.netns = request.netns.value_or(0);
    wire.has_owner = request.owner.has_value();
    if (request.owner)
      wire.owner = request.owner->id, wire.owner_is_group = request.owner->kind == DeviceOwner::Kind::group;
    wire.queues = request.queues;
    wire.isolated = request.isolated, wire.virtio_headers = request.virtio_headers;
    wire.persistent = request.persistent, wire.sealed = request.sealed, wire.anti_spoof = request.anti_spoof;
  }
  void operator()(const RemoveInterface& request) const { put_name(request.device, wire.device); }
  void operator()(const OpenSession& request) const { wire.events = request.events; }
  void operator()(const CollectGarbage&) const {}
};

using Name = std::array<char, IfName::kAlternativeSize>;

std::optional<std::string_view> text_of(const Name& name) {
  const auto end = std::ranges::find(name, '\0');
  if (end == name.end()) return std::nullopt;
  return std::string_view(name.begin(), end);
}

std::optional<IfName> name_of(const Name& name, std::optional<IfName> (*parse)(std::string_view)) {
  const auto text = text_of(name);
  return text ? parse(*text) : std::nullopt;
}

std::optional<IpAddress> address_of(const WireAddress& wire) {
  if (wire.length > (wire.is_ipv6 ? 128 : 32)) return std::nullopt;
  if (wire.is_ipv6) return Ipv6(wire.bytes);
  return Ipv4::from_bytes({wire.bytes[0], wire.bytes[1], wire.bytes[2], wire.bytes[3]});
}

std::optional<Ipv4> ipv4_of(const WireAddress& wire) {
  const auto address = address_of(wire);
  return address && !wire.is_ipv6 ? std::optional(std::get<Ipv4>(*address)) : std::nullopt;
}

std::optional<MacAddress> mac_of(const std::array<std::uint8_t, 6>& bytes) {
  return MacAddress::parse(MacAddress(bytes).str());  // which has no group address, and none of zeros
}

std::optional<Request> tap(const WireRequest& wire) {
  const auto gateway = wire.has_gateway ? ipv4_of(wire.address) : std::nullopt;
  if (wire.has_gateway && !gateway) return std::nullopt;
  return MakeTap{gateway};
}

std::optional<Request> ethertap(const WireRequest& wire) {
  const auto device = name_of(wire.device, IfName::parse);
  const auto gateway = wire.has_gateway ? ipv4_of(wire.address) : std::nullopt;
  if (!device || (wire.has_gateway && !gateway)) return std::nullopt;
  return OpenEthertap{*device, gateway};
}

std::optional<Request> bridged(const WireRequest& wire) {
  const auto bridge = name_of(wire.bridge, IfName::parse_existing);
  if (!bridge) return std::nullopt;
  return MakeBridgedTap{*bridge, wire.virtio_headers != 0};
}

template <class AddOrDelete>
std::optional<Request> change(const WireRequest& wire) {
  const auto device = name_of(wire.device, IfName::parse_existing);
  const auto address = ipv4_of(wire.address);
  if (!device || !address) return std::nullopt;
  return AddOrDelete{*device, *address, Ipv4Mask(wire.address.length)};
}

std::optional<Request> open(const WireRequest& wire) {
  OpenInterface open{.isolated = wire.isolated != 0,
                     .queues = wire.queues,
                     .virtio_headers = wire.virtio_headers != 0,
                     .persistent = wire.persistent != 0,
                     .sealed = wire.sealed != 0,
                     .anti_spoof = wire.anti_spoof != 0};
  if (wire.device[0] != '\0') open.device = name_of(wire.device, IfName::parse);
  if (wire.bridge[0] != '\0') open.bridge = name_of(wire.bridge, IfName::parse_existing);
  if (open.device.has_value() != (wire.device[0] != '\0') || open.bridge.has_value() != (wire.bridge[0] != '\0'))
    return std::nullopt;
  if (wire.address_count > wire.addresses.size() || wire.guest_count > wire.guests.size() ||
      wire.guest_mac_count > wire.guest_macs.size())
    return std::nullopt;
  for (std::size_t i = 0; i < wire.address_count; ++i) {
    const auto address = address_of(wire.addresses[i]);
    if (!address) return std::nullopt;
    open.addresses.push_back({*address, wire.addresses[i].length});
  }
  for (std::size_t i = 0; i < wire.guest_count; ++i) {
    const auto address = address_of(wire.guests[i]);
    const auto guest = address ? std::optional(IpRange::network_of(*address, wire.guests[i].length)) : std::nullopt;
    if (!guest || guest->first() != *address) return std::nullopt;
    open.guests.push_back(*guest);
  }
  for (std::size_t i = 0; i < wire.guest_mac_count; ++i) {
    const auto mac = mac_of(wire.guest_macs[i]);
    if (!mac) return std::nullopt;
    open.guest_macs.push_back(*mac);
  }
  if (wire.has_mtu) open.mtu = wire.mtu;
  if (wire.has_mac) open.mac = mac_of(wire.mac);
  if (wire.has_mac && !open.mac) return std::nullopt;
  if (wire.has_netns) open.netns = wire.netns;
  if (wire.has_owner)
    open.owner = DeviceOwner{wire.owner_is_group ? DeviceOwner::Kind::group : DeviceOwner::Kind::user, wire.owner};
  if (!check_options(open)) return std::nullopt;
  return open;
}

std::optional<Request> remove(const WireRequest& wire) {
  const auto device = name_of(wire.device, IfName::parse_existing);
  if (!device) return std::nullopt;
  return RemoveInterface{*device};
}

std::optional<Request> session(const WireRequest& wire) { return OpenSession{wire.events != 0}; }
std::optional<Request> gc(const WireRequest&) { return CollectGarbage{}; }

// By the order in Request.
using Decode = std::optional<Request> (*)(const WireRequest&);
constexpr Decode kDecoders[] = {tap,    ethertap, bridged, change<AddAddress>, change<DeleteAddress>, open,
                                remove, session,  gc};
static_assert(std::size(kDecoders) == std::variant_size_v<Request>);

}  // namespace

WireRequest encode(const Request& request) {
  WireRequest wire{.kind = static_cast<std::uint8_t>(request.index())};
  std::visit(Encode{wire}, request);
  return wire;
}

std::optional<Request> decode(const WireRequest& wire) {
  if (wire.kind >= std::size(kDecoders)) return std::nullopt;
  auto request = kDecoders[wire.kind](wire);
  if (request && request->index() != wire.kind) return std::nullopt;
  return request;
}

}  // namespace umlnet
