#include "policy/host_refusal.h"

#include <string>
#include <string_view>

#include "libumlnet/core/plain_text.h"

namespace umlnet::policy {
namespace {

constexpr std::string_view kChooseGuest = "Choose another address for the guest.";

std::optional<Error> not_for_a_host(std::string_view word, const IpAddress& address) {
  const auto why = special_purpose(address);
  if (!why) return std::nullopt;
  return Error{Code::bad_value, 0,
               std::string(word) + " " + to_string(address) + " cannot be put on a device: " + std::string(*why),
               std::holds_alternative<Ipv4>(address)
                   ? "Choose a private address for the host's side, as in 10.99.0.254."
                   : "Choose a unique local address for the host's side, as in fd00:99::1."};
}

// A host in a cloud asks there for its own configuration and keys, and would ask a guest that has the address.
std::optional<Error> takes_metadata(const std::string& what, const IpRange& range) {
  if (!has_cloud_metadata(range)) return std::nullopt;
  return Error{Code::denied, 0, what + " would take what the host sends to a cloud's metadata service",
               "Choose a link-local address outside of 169.254.169.0/24 and 169.254.170.0/24."};
}

std::optional<Error> not_for_a_guest(const IpRange& guest, int ifindex, uid_t uid, const HostState& host) {
  const auto bounds = guest.ipv4_bounds();
  auto why = special_purpose(guest.first());
  if (!why && bounds) why = special_purpose(bounds->second);
  if (why)
    return Error{Code::denied, 0, guest.compact() + " cannot be a guest's address: " + std::string(*why),
                 std::string(kChooseGuest)};
  if (auto refusal = takes_metadata(guest.compact(), guest)) return refusal;
  const auto use =
      guest.is_one_address() ? host.address_in_use(guest.first(), ifindex, uid) : host.guest_network_in_use(guest, uid);
  if (!use) return std::nullopt;
  return Error{Code::conflict, 0, guest.compact() + (guest.is_one_address() ? " is " : " ") + *use,
               std::string(kChooseGuest)};
}

// The name of a new device. Scripts, hooks and log files of the host get to see it.
std::optional<Error> bad_new_name(const IfName& name, const Caller& caller, const HostState& host) {
  if (caller.uid != 0 && !name.is_plain())
    return Error{Code::bad_value, 0,
                 "the device name " + in_quotes(name.str()) +
                     " has other bytes than letters, digits, \".\", \"_\" and \"-\", or begins with \"-\"",
                 "Choose another name for the device, as in vm1."};
  if (host.link(name.str()) == nullptr) return std::nullopt;
  return Error{Code::conflict, 0, "the device name " + name.str() + " is in use",
               "Choose another name for the device."};
}

// `option` names a bridge in the caller's protocol.
std::optional<Error> no_bridge(const IfName& bridge, const HostState& host, std::string_view option) {
  const auto choose =
      "Name another with " + std::string(option) + "=BRIDGE; those that there are: ip link show type bridge";
  const auto* link = host.link(bridge.str());
  if (link == nullptr)
    return Error{Code::no_such_device, 0, "there is no bridge " + bridge.str() + " on this host", choose};
  if (link->kind != "bridge")
    return Error{Code::no_such_device, 0, "the device " + bridge.str() + " is not a bridge", choose};
  return std::nullopt;
}

// The device of an address change, which must be the caller's own.
std::optional<Error> not_the_callers(const IfName& name, const Caller& caller, const HostState& host) {
  const auto* device = host.link(name.str());
  const auto maker = device != nullptr ? maker_of(*device) : std::nullopt;
  if (maker && (*maker == caller.uid || caller.uid == 0)) return std::nullopt;
  return Error{Code::no_such_device, 0, "there is no device " + name.str() + " that uml_net made for you",
               "Make one with \"uml_net 4 tuntap up\"; a device lives as long as the program that asked for it."};
}

// A bridge takes over the lowest MTU and the lowest MAC address among its ports (br_mtu_auto_adjust() and
// br_stp_recalculate_bridge_id() in net/bridge), so that a port can change them for all.
std::optional<Error> changes_bridge(const OpenInterface& open, const rtnetlink::Link& bridge) {
  if (open.mtu && *open.mtu < bridge.mtu)
    return Error{Code::conflict, 0,
                 "mtu " + std::to_string(*open.mtu) + " is below that of bridge " + bridge.name + ", " +
                     std::to_string(bridge.mtu) + ", and the bridge would take it over for all of its ports",
                 "Leave mtu= out: the device then gets the bridge's."};
  if (open.mac && bridge.mac && open.mac->bytes() < bridge.mac->bytes())
    return Error{Code::conflict, 0,
                 "mac " + open.mac->str() + " is below that of bridge " + bridge.name + ", " + bridge.mac->str() +
                     ", and the bridge would take it over for itself",
                 "Leave mac= out, or choose one that begins with fe."};
  return std::nullopt;
}

// The refusal of a request, by its kind.
struct RefusalOf {
  const Caller& caller;
  const HostState& host;

  using Answer = std::optional<Error>;

  Answer operator()(const MakeTap& tap) const {
    return tap.gateway ? not_on_the_host("gateway", *tap.gateway) : Answer();
  }

  Answer operator()(const OpenEthertap& ethertap) const {
    if (ethertap.gateway)
      if (auto refusal = not_on_the_host("gateway", *ethertap.gateway)) return refusal;
    return bad_new_name(ethertap.device, caller, host);
  }

  Answer operator()(const MakeBridgedTap& bridged) const { return no_bridge(bridged.bridge, host, "br"); }

  Answer operator()(const AddAddress& add) const {
    if (auto refusal = not_the_callers(add.device, caller, host)) return refusal;
    return caller.uid != 0
               ? not_for_a_guest(IpRange::just(add.address), host.link(add.device.str())->ifindex, caller.uid, host)
               : std::nullopt;
  }

  Answer operator()(const DeleteAddress& del) const { return not_the_callers(del.device, caller, host); }

  Answer operator()(const OpenInterface& open) const {
    for (const auto& address : open.addresses) {
      if (auto refusal = not_on_the_host("address", address.address)) return refusal;
      if (address.prefix_length == 0)
        return Error{Code::bad_value, 0, "address " + address.str() + " would make the device the host's default route",
                     "Write the length of the network that is behind the device, as in 10.99.0.254/24."};
    }
    if (open.device)
      if (auto refusal = bad_new_name(*open.device, caller, host)) return refusal;
    if (open.bridge)
      if (auto refusal = no_bridge(*open.bridge, host, "bridge")) return refusal;
    return caller.uid != 0 ? takes_from_others(open) : std::nullopt;
  }

  // In the words for a device that does not exist, where it is another's.
  Answer operator()(const RemoveInterface& remove) const {
    const auto* device = host.link(remove.device.str());
    if (device != nullptr && may_remove(*device, caller.uid)) return std::nullopt;
    return Error{Code::no_such_device, 0, "there is no device " + remove.device.str() + " that uml_net made for you",
                 "Those that there are: umlnet ls"};
  }

  Answer operator()(const OpenSession&) const { return std::nullopt; }
  Answer operator()(const CollectGarbage&) const { return std::nullopt; }

 private:
  Answer not_on_the_host(std::string_view word, const IpAddress& address) const {
    if (auto refusal = not_for_a_host(word, address); refusal || caller.uid == 0) return refusal;
    const std::string what = std::string(word) + " " + to_string(address);
    if (auto refusal = takes_metadata(what, IpRange::just(address))) return refusal;
    const auto use = host.host_address_in_use(address, caller.uid);
    if (!use) return std::nullopt;
    return Error{Code::conflict, 0, what + " is " + *use,
                 "Choose an address for the host's side that is free, or the host's already."};
  }

  Answer takes_from_others(const OpenInterface& open) const {
    for (const auto& address : open.addresses)
      if (!address.network().is_one_address()) {
        if (auto refusal = takes_metadata("address " + address.str(), address.network())) return refusal;
        if (const auto use = host.network_in_use(address, caller.uid))
          return Error{Code::conflict, 0, "address " + address.str() + ": its network " + *use,
                       "Choose a network that this host does not reach yet, or leave the length out."};
      }
    for (const auto& guest : open.guests)
      if (auto refusal = not_for_a_guest(guest, 0, caller.uid, host)) return refusal;
    return open.bridge ? changes_bridge(open, *host.link(open.bridge->str())) : std::nullopt;
  }
};

}  // namespace

std::optional<Error> host_refusal(const Caller& caller, const Request& request, const HostState& host) {
  return std::visit(RefusalOf{caller, host}, request);
}

}  // namespace umlnet::policy
