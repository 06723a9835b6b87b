#include "uml_net/priv/change.h"

namespace umlnet::priv {
namespace {

// Both sentences about a change stand side by side, so that neither is forgotten.
struct Words {
  std::string done;
  std::string doing;
};

struct Describe {
  const std::string& new_tap;

  std::string name(const Device& device) const { return device.ifindex == 0 ? new_tap : device.name; }

  Words operator()(const MakeTapDevice& c) const {
    const bool is_group = c.owner.kind == DeviceOwner::Kind::group;
    const auto owner = (is_group ? " for group " : " for uid ") + std::to_string(c.owner.id);
    const std::string headers = c.virtio_headers ? ", with virtio-net headers" : "";
    const std::string queues = c.queues != 1 ? ", with " + std::to_string(c.queues) + " queues" : "";
    return {new_tap + " made" + owner + headers + queues,
            "make " + (c.name ? "the TAP device " + c.name->str() : "a TAP device") + owner};
  }
  Words operator()(const PutHostAddress& c) const {
    const auto words = c.address.str() + " on " + name(c.device);
    return {words, "put " + words};
  }
  Words operator()(const SetLinkUp& c) const { return {name(c.device) + " up", "bring up " + name(c.device)}; }
  Words operator()(const SetMtu& c) const {
    const auto mtu = std::to_string(c.mtu);
    return {"MTU " + mtu + " on " + name(c.device), "set the MTU of " + name(c.device) + " to " + mtu};
  }
  Words operator()(const SetMacPrefixFe& c) const {
    return {"MAC address of " + name(c.device) + " begins with fe",
            "let the MAC address of " + name(c.device) + " begin with fe"};
  }
  Words operator()(const SetMac& c) const {
    return {"MAC address " + c.mac.str() + " on " + name(c.device),
            "give " + name(c.device) + " the MAC address " + c.mac.str()};
  }
  Words operator()(const SetMaster& c) const {
    return {name(c.device) + " on bridge " + c.bridge.name,
            "put " + name(c.device) + " on the bridge " + c.bridge.name};
  }
  Words operator()(const IsolatePort& c) const {
    return {name(c.device) + " isolated from other isolated ports",
            "isolate " + name(c.device) + " from other isolated ports of its bridge"};
  }
  Words operator()(const PutAntiSpoof& c) const {
    std::string sources;
    for (const auto& mac : c.sources.macs) sources += (sources.empty() ? "" : ", ") + mac.str();
    for (const auto& range : c.sources.addresses) sources += ", " + range.compact();
    for (const auto& [kind, granted] : kInfrastructureKinds)
      if (c.sources.infrastructure.*granted) sources += ", as " + std::string(kind);
    return {"only frames from " + sources + " let in on " + name(c.device),
            "let in on " + name(c.device) + " only frames from " + sources};
  }
  Words operator()(const MakePersistent& c) const {
    return {name(c.device) + (c.on ? " persistent" : " no longer persistent"),
            "make " + name(c.device) + (c.on ? " persistent" : " go with its last holder again")};
  }
  Words operator()(const AddRoute& c) const {
    const std::string to = " to " + name(c.device) + (c.via ? " via " + to_string(*c.via) : "");
    return {c.network.compact() + " routed" + to, "route " + c.network.compact() + to};
  }
  Words operator()(const DeleteRoute& c) const {
    return {c.network.compact() + " no longer routed to " + name(c.device),
            "take back the route for " + c.network.compact() + " to " + name(c.device)};
  }
  Words operator()(const AddProxyNeigh& c) const {
    return {to_string(c.address) + " published on " + name(c.lan),
            "publish " + to_string(c.address) + " on " + name(c.lan)};
  }
  Words operator()(const DelProxyNeigh& c) const {
    return {to_string(c.address) + " no longer published on " + name(c.lan),
            "take back what publishes " + to_string(c.address) + " on " + name(c.lan)};
  }
  Words operator()(const SetProxyArp& c) const { return setting("proxy ARP", c.device, c.on); }
  Words operator()(const SetForwarding& c) const { return setting("forwarding", c.device, c.on); }
  Words operator()(const DeleteTapDevice& c) const {
    return {name(c.device) + " deleted" + (c.abandoned ? ": nobody holds it any more" : ""),
            "delete " + name(c.device)};
  }
  Words operator()(const SetMark& c) const {
    return {"", (c.on ? "mark " : "take the mark off ") + name(c.device) + ": " + c.name};
  }
  Words operator()(const DeleteSessionDevices&) const {
    return {"the session's devices gone", "delete the session's devices"};
  }

  Words setting(const std::string& what, const Device& device, bool on) const {
    const auto words = what + (on ? " on" : " off") + " for " + name(device);
    return {words, "turn " + words};
  }
};

struct Invert {
  using Inverse = std::optional<Change>;
  Inverse operator()(const MakeTapDevice&) const { return std::nullopt; }
  Inverse operator()(const PutHostAddress&) const { return std::nullopt; }
  Inverse operator()(const SetLinkUp&) const { return std::nullopt; }
  Inverse operator()(const SetMtu&) const { return std::nullopt; }
  Inverse operator()(const SetMacPrefixFe&) const { return std::nullopt; }
  Inverse operator()(const SetMac&) const { return std::nullopt; }
  Inverse operator()(const SetMaster&) const { return std::nullopt; }
  Inverse operator()(const IsolatePort&) const { return std::nullopt; }
  Inverse operator()(const PutAntiSpoof&) const { return std::nullopt; }
  Inverse operator()(const MakePersistent& c) const { return MakePersistent{c.device, !c.on}; }
  Inverse operator()(const AddRoute& c) const { return DeleteRoute{c.device, c.network, c.via}; }
  Inverse operator()(const DeleteRoute& c) const { return AddRoute{c.device, c.network, c.via}; }
  Inverse operator()(const AddProxyNeigh& c) const { return DelProxyNeigh{c.lan, c.address, c.forwarding_is_ours}; }
  Inverse operator()(const DelProxyNeigh& c) const { return AddProxyNeigh{c.lan, c.address, c.forwarding_is_ours}; }
  Inverse operator()(const SetProxyArp& c) const { return SetProxyArp{c.device, !c.on}; }
  Inverse operator()(const SetForwarding& c) const { return SetForwarding{c.device, !c.on}; }
  Inverse operator()(const DeleteTapDevice&) const { return std::nullopt; }
  Inverse operator()(const SetMark& c) const { return SetMark{c.device, c.name, !c.on}; }
  Inverse operator()(const DeleteSessionDevices&) const { return std::nullopt; }
};

}  // namespace

std::string done_in_words(const Change& change, const std::string& new_tap) {
  return std::visit(Describe{new_tap}, change).done;
}

std::string doing_in_words(const Change& change, const std::string& new_tap) {
  return std::visit(Describe{new_tap}, change).doing;
}

std::optional<Change> inverse(const Change& change) { return std::visit(Invert{}, change); }

}  // namespace umlnet::priv
