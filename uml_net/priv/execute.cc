#include "uml_net/priv/execute.h"

#include <cerrno>
#include <chrono>
#include <utility>

#include "libumlnet/core/anti_spoof.h"

namespace umlnet::priv {
namespace {

// 0xFF would be a group address.
constexpr std::uint8_t kHighestUnicast = 0xfe;

// Makes one change real. `tap` receives the TAP that MakeTapDevice makes, and resolves the device with index 0.
struct Perform {
  HostEffects& effects;
  std::optional<NewTap>& tap;

  int index(const Device& device) const { return device.ifindex != 0 || !tap ? device.ifindex : tap->ifindex; }

  // Where IPv6 was not granted, the host has no address of it on the device either.
  Result<void> take_only(int ifindex, GuestProtocols protocols, std::span<const sock_filter> program) const {
    if (protocols == GuestProtocols::ipv4)
      if (auto set = effects.set_no_link_local_address(ifindex); !set) return set;
    return effects.classify_ingress(ifindex, program);
  }

  Result<void> operator()(const MakeTapDevice& c) const {
    const TapFrames headed = c.virtio_headers ? TapFrames::headed : TapFrames::bare;
    auto made = effects.make_tap(
        {.owner = c.owner, .name = c.name, .frames = c.relayed ? TapFrames::unfinished : headed, .queues = c.queues});
    if (!made) return std::unexpected(std::move(made.error()));
    tap.emplace(*std::move(made));
    DeviceTag tag = c.tag;
    tag.since = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    auto marked = effects.set_alias(tap->ifindex, tag.str(), c.group);
    if (!marked || !c.guard) return marked;
    return take_only(tap->ifindex, *c.guard, host_guard_program(*c.guard));
  }
  Result<void> operator()(const PutHostAddress& c) const { return effects.add_address(index(c.device), c.address); }
  Result<void> operator()(const BringUp& c) const { return effects.set_up(index(c.device)); }
  Result<void> operator()(const SetMtu& c) const {
    auto set = effects.set_mtu(index(c.device), c.mtu);
    if (set && tap) tap->mtu = c.mtu;
    return set;
  }
  Result<void> operator()(const SetMac& c) const {
    auto set = effects.set_mac(index(c.device), c.mac);
    if (set && tap) tap->mac = c.mac;
    return set;
  }
  Result<void> operator()(const RaiseMac& c) const {
    if (!tap) return fail(Code::bug, "there is no new TAP device");
    auto bytes = tap->mac.bytes();
    bytes[0] = kHighestUnicast;
    tap->mac = MacAddress(bytes);
    return effects.set_mac(index(c.device), tap->mac);
  }
  Result<void> operator()(const PutOnBridge& c) const { return effects.set_master(index(c.device), index(c.bridge)); }
  Result<void> operator()(const IsolatePort& c) const { return effects.isolate_port(index(c.device)); }
  Result<void> operator()(const PutAntiSpoof& c) const {
    std::vector<Ipv4> ipv4;
    std::vector<Ipv6> ipv6;
    for (const auto& address : c.addresses)
      if (const auto* v4 = std::get_if<Ipv4>(&address))
        ipv4.push_back(*v4);
      else
        ipv6.push_back(std::get<Ipv6>(address));
    return take_only(index(c.device), c.protocols, anti_spoof_program(c.mac, ipv4, ipv6, c.protocols));
  }
  Result<void> operator()(const MakePersistent& c) const {
    if (!tap) return fail(Code::bug, "there is no new TAP device");
    return effects.set_persistent(*tap, c.on);
  }
  Result<void> operator()(const AddRoute& c) const { return effects.add_route(index(c.device), c.address); }
  Result<void> operator()(const DeleteRoute& c) const { return effects.delete_route(index(c.device), c.address); }
  Result<void> operator()(const Publish& c) const {
    return effects.publish(index(c.lan), c.address,
                           c.forwarding_is_ours ? rtnetlink::kProtocolForwarding : rtnetlink::kProtocol);
  }
  Result<void> operator()(const Withdraw& c) const { return effects.withdraw(index(c.lan), c.address); }
  Result<void> operator()(const SetProxyArp& c) const { return effects.set_proxy_arp(index(c.device), c.on); }
  Result<void> operator()(const SetForwarding& c) const { return effects.set_forwarding(index(c.device), c.on); }
  Result<void> operator()(const DeleteTapDevice& c) const { return effects.delete_link(index(c.device)); }
};

// Something that is gone needs no removing: another helper, or the end of the device itself, was quicker.
bool is_gone_already(const Change& change, const Error& error) {
  const bool removes = std::holds_alternative<DeleteRoute>(change) || std::holds_alternative<Withdraw>(change) ||
                       std::holds_alternative<DeleteTapDevice>(change);
  return removes &&
         (error.errnum == ENOENT || error.errnum == ESRCH || error.errnum == ENODEV || error.errnum == ENXIO);
}

// It was not known whether the removal was done, and it was not.
bool is_there_still(const Change& change, const Error& error) {
  return std::holds_alternative<AddRoute>(change) && error.errnum == EEXIST;
}

// The kernel's number in the words of the change. A route that is there already means that somebody else was quicker.
Error explained(const Change& change, Error error, const std::string& new_tap = "the new TAP device") {
  error.what = "cannot " + doing_in_words(change, new_tap) + (error.errnum == 0 ? ": " + error.what : "");
  if (std::holds_alternative<AddRoute>(change) && error.errnum == EEXIST) {
    error.code = Code::conflict;
    error.advice = "The address is routed elsewhere already: choose another for the guest.";
  } else if (std::holds_alternative<MakeTapDevice>(change) && error.errnum == EBUSY) {
    error.code = Code::conflict;
    error.advice = "The name is in use: choose another for the device.";
  } else if (std::holds_alternative<SetMtu>(change) && error.errnum == EINVAL) {
    error.advice = "A TAP device takes a lower one at most: the administrator lowers the MTU of the bridge.";
  } else if (std::holds_alternative<PutOnBridge>(change) && error.errnum == EXFULL) {
    error.advice = "The bridge has as many ports as it can have.";
  } else if ((std::holds_alternative<MakeTapDevice>(change) || std::holds_alternative<PutAntiSpoof>(change)) &&
             error.errnum == ENOENT && error.advice.empty()) {
    error.advice = "The kernel lacks the classifier: the administrator loads it (modprobe -a cls_bpf sch_ingress).";
  } else if (std::holds_alternative<PutHostAddress>(change) && error.errnum == EACCES) {
    error.advice = "IPv6 is turned off on this host for new devices (net.ipv6.conf.default.disable_ipv6).";
  } else if (error.errnum == EPERM && error.advice.empty()) {
    error.advice = "The kernel refused although CAP_NET_ADMIN is in effect: is this network namespace another user's?";
  }
  return error;
}

std::vector<std::string> take_back_changes(const std::vector<Change>& changes, std::optional<NewTap>& tap,
                                           HostEffects& effects) {
  std::vector<std::string> failures;
  for (auto it = changes.rbegin(); it != changes.rend(); ++it) {
    const auto back = inverse(*it);
    if (!back) continue;
    const auto result = std::visit(Perform{effects, tap}, *back);
    if (!result && !is_gone_already(*back, result.error()) && !is_there_still(*back, result.error()))
      failures.push_back(explained(*back, result.error()).line());
  }
  tap.reset();  // closes its fds, and with them goes the device and all that was put on it
  return failures;
}

// The device that an address change names; index 0 for other requests.
Device device_named_in(const Request& request, const policy::HostState& host) {
  const IfName* name = nullptr;
  if (const auto* remove = std::get_if<RemoveInterface>(&request)) name = &remove->device;
  if (const auto* add = std::get_if<AddAddress>(&request)) name = &add->device;
  if (const auto* del = std::get_if<DeleteAddress>(&request)) name = &del->device;
  const auto* link = name != nullptr ? host.link(name->str()) : nullptr;
  return link != nullptr ? Device{link->ifindex, link->name} : Device{};
}

// The caller's explanation: "tap0 up with 10.99.0.254/32", "10.50.0.7 routed to tap0, published on eth0".
std::string explanation(const policy::Grant& grant, const Plan& plan, const Outcome& outcome) {
  std::string text;
  if (outcome.tap) {
    text = outcome.tap->name.str() + " up";
    bool has_address = false;
    for (const auto& change : outcome.changes)
      if (const auto* port = std::get_if<PutOnBridge>(&change)) {
        text += " on bridge " + port->bridge.name;
        has_address = true;
      }
    for (const auto& change : outcome.changes)
      if (const auto* put = std::get_if<PutHostAddress>(&change)) {
        text += " with " + put->address.str();
        has_address = true;
      }
    if (!has_address) text += " without a host address";
  } else if (const auto* add = std::get_if<AddAddress>(&grant.request())) {
    text = add->address.str() + " routed to " + add->device.str();
    for (const auto& change : outcome.changes)
      if (const auto* publish = std::get_if<Publish>(&change)) text += ", published on " + publish->lan.name;
    if (outcome.changes.empty()) text += " already";
  } else if (const auto* del = std::get_if<DeleteAddress>(&grant.request())) {
    text = del->address.str() + " no longer routed to " + del->device.str();
    for (const auto& change : outcome.changes)
      if (const auto* withdraw = std::get_if<Withdraw>(&change))
        text += ", no longer published on " + withdraw->lan.name;
  } else {
    text = outcome.words.empty() ? "nothing was left behind" : "";
    for (const auto& words : outcome.words) text += (text.empty() ? "" : "\n") + words;
  }
  text += "\n";
  for (const auto& note : plan.notes) text += note + "\n";
  return text;
}

}  // namespace

Result<Outcome> execute(const policy::Grant& grant, const Plan& plan, const policy::HostState& host,
                        HostEffects& effects) {
  Outcome outcome;
  outcome.device = device_named_in(grant.request(), host);
  for (const auto& change : plan.changes) {
    if (std::holds_alternative<MakePersistent>(change)) {
      outcome.remaining.push_back(change);
      continue;
    }
    const auto result = std::visit(Perform{effects, outcome.tap}, change);
    if (result) {
      outcome.changes.push_back(change);
      continue;
    }
    if (is_gone_already(change, result.error())) continue;
    Error error = explained(change, result.error());
    if (!plan.all_or_nothing) {
      outcome.words.push_back("failed: " + error.line());
      continue;
    }
    // Without an answer it may have been made, and then is to be taken back with the others.
    if (error.code == Code::no_answer) outcome.changes.push_back(change);
    for (const auto& failure : take_back_changes(outcome.changes, outcome.tap, effects))
      error.what += " (and taking back what was done: " + failure + ")";
    return std::unexpected(std::move(error));
  }
  if (outcome.tap) outcome.device = {outcome.tap->ifindex, outcome.tap->name.str()};
  for (const auto& change : outcome.changes)
    outcome.words.push_back(done_in_words(change, outcome.tap ? outcome.tap->name.str() : ""));
  outcome.text = explanation(grant, plan, outcome);
  outcome.notes = plan.notes;
  return outcome;
}

Result<void> complete(Outcome& outcome, HostEffects& effects) {
  for (const auto& change : std::exchange(outcome.remaining, {})) {
    const auto result = std::visit(Perform{effects, outcome.tap}, change);
    if (result || result.error().code == Code::no_answer) outcome.changes.push_back(change);
    if (!result) return std::unexpected(explained(change, result.error(), outcome.device.name));
    outcome.words.push_back(done_in_words(change, outcome.device.name));
  }
  return {};
}

std::vector<std::string> take_back(Outcome outcome, HostEffects& effects) {
  return take_back_changes(outcome.changes, outcome.tap, effects);
}

Result<void> take_back_group(std::uint32_t group, HostEffects& effects) {
  auto deleted = effects.delete_group(group);
  if (!deleted) deleted.error().what = "cannot delete the session's devices";
  return deleted;
}

}  // namespace umlnet::priv
