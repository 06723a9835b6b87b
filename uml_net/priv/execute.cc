#include "uml_net/priv/execute.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <type_traits>
#include <utility>

#include "libumlnet/core/anti_spoof.h"
#include "libumlnet/core/boot_time.h"
#include "libumlnet/core/device_marks.h"
#include "policy/upkeep.h"

namespace umlnet::priv {
namespace {

// 0xFF would be a group address.
constexpr std::uint8_t kHighestUnicast = 0xfe;

}  // namespace

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
    auto made =
        effects.make_tap({.owner = c.owner, .name = c.name, .virtio_headers = c.virtio_headers, .queues = c.queues});
    if (!made) return std::unexpected(std::move(made.error()));
    tap.emplace(*std::move(made));
    DeviceTag tag = c.tag;
    tag.since = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    auto marked = effects.set_alias(tap->ifindex, tag.str(), c.group);
    if (!marked || !c.guard) return marked;
    return take_only(tap->ifindex, *c.guard, host_guard_program(*c.guard));
  }
  Result<void> operator()(const PutHostAddress& c) const { return effects.add_address(index(c.device), c.address); }
  Result<void> operator()(const SetLinkUp& c) const { return effects.set_up(index(c.device)); }
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
  Result<void> operator()(const SetMacPrefixFe& c) const {
    if (!tap) return fail(Code::bug, "there is no new TAP device");
    auto bytes = tap->mac.bytes();
    bytes[0] = kHighestUnicast;
    tap->mac = MacAddress(bytes);
    return effects.set_mac(index(c.device), tap->mac);
  }
  Result<void> operator()(const SetMaster& c) const { return effects.set_master(index(c.device), index(c.bridge)); }
  Result<void> operator()(const IsolatePort& c) const { return effects.isolate_port(index(c.device)); }
  Result<void> operator()(const PutAntiSpoof& c) const {
    return take_only(index(c.device), c.sources.protocols, anti_spoof_program(c.sources));
  }
  Result<void> operator()(const MakePersistent& c) const {
    if (!tap) return fail(Code::bug, "there is no new TAP device");
    return effects.set_persistent(*tap, c.on);
  }
  Result<void> operator()(const AddRoute& c) const { return effects.add_route(index(c.device), c.network, c.via); }
  Result<void> operator()(const DeleteRoute& c) const {
    return effects.delete_route(index(c.device), c.network, c.via);
  }
  Result<void> operator()(const AddProxyNeigh& c) const {
    return effects.publish(index(c.lan), c.address,
                           c.forwarding_is_ours ? rtnetlink::kProtocolForwarding : rtnetlink::kProtocol);
  }
  Result<void> operator()(const DelProxyNeigh& c) const { return effects.withdraw(index(c.lan), c.address); }
  Result<void> operator()(const SetProxyArp& c) const { return effects.set_proxy_arp(index(c.device), c.on); }
  Result<void> operator()(const SetForwarding& c) const { return effects.set_forwarding(index(c.device), c.on); }
  Result<void> operator()(const DeleteTapDevice& c) const { return effects.delete_link(index(c.device)); }
  Result<void> operator()(const SetMark& c) const { return effects.set_mark(index(c.device), c.name, c.on); }
  Result<void> operator()(const DeleteSessionDevices& c) const { return effects.delete_group(c.group); }
};

namespace {

// Something that is gone needs no removing: another helper, or the end of the device itself, was quicker.
bool is_gone_already(const Change& change, const Error& error) {
  const auto* mark = std::get_if<SetMark>(&change);
  const bool removes = std::holds_alternative<DeleteRoute>(change) || std::holds_alternative<DelProxyNeigh>(change) ||
                       std::holds_alternative<DeleteTapDevice>(change) || (mark != nullptr && !mark->on);
  return removes &&
         (error.errnum == ENOENT || error.errnum == ESRCH || error.errnum == ENODEV || error.errnum == ENXIO);
}

// Another helper turned the same LAN's forwarding on at the same time.
bool is_marked_already(const Change& change, const Error& error) {
  const auto* mark = std::get_if<SetMark>(&change);
  return mark != nullptr && mark->on && !guest_of_mark(mark->name) && error.errnum == EEXIST;
}

// It was not known whether the removal was done, and it was not.
bool is_there_still(const Change& change, const Error& error) {
  return (std::holds_alternative<AddRoute>(change) || std::holds_alternative<SetMark>(change)) &&
         error.errnum == EEXIST;
}

// The kernel's number in the words of the change. A route that is there already means that somebody else was quicker.
Error explained(const Change& change, Error error, const std::string& new_tap = "the new TAP device") {
  error.what = "cannot " + doing_in_words(change, new_tap) + (error.errnum == 0 ? ": " + error.what : "");
  const auto* mark = std::get_if<SetMark>(&change);
  if (error.errnum == EEXIST &&
      (std::holds_alternative<AddRoute>(change) || (mark != nullptr && guest_of_mark(mark->name)))) {
    error.code = Code::conflict;
    error.advice = "The address is routed elsewhere already: choose another for the guest.";
  } else if (std::holds_alternative<MakeTapDevice>(change) && error.errnum == EBUSY) {
    error.code = Code::conflict;
    error.advice = "The name is in use: choose another for the device.";
  } else if (std::holds_alternative<SetMtu>(change) && error.errnum == EINVAL) {
    error.advice = "A TAP device takes a lower one at most: the administrator lowers the MTU of the bridge.";
  } else if (std::holds_alternative<SetMaster>(change) && error.errnum == EXFULL) {
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

// Whether others than the device `ifindex`, on which `changes` were made, need by `now` what `back` would undo.
bool is_needed_by_others(const Change& back, const std::vector<Change>& changes, int ifindex,
                         const policy::HostState* now) {
  const auto is_own = [](const auto& record) { return rtnetlink::is_our_protocol(record.protocol); };
  const auto was_routed = [&](const IpRange& network) {
    return std::ranges::any_of(changes, [&](const Change& change) {
      const auto* made = std::get_if<AddRoute>(&change);
      return made != nullptr && made->network == network;
    });
  };
  if (const auto* withdraw = std::get_if<DelProxyNeigh>(&back)) {
    const auto elsewhere = [&](const auto& route) {
      return is_own(route) && policy::network_of(route).contains(withdraw->address) && route.ifindex != ifindex;
    };
    return now == nullptr || std::ranges::any_of(now->routes, elsewhere) ||
           std::ranges::any_of(now->ipv6_routes, elsewhere);
  }
  const auto is_others_route = [&](const auto& route) {
    return is_own(route) && route.ifindex == ifindex && !was_routed(policy::network_of(route));
  };
  if (const auto* arp = std::get_if<SetProxyArp>(&back); arp != nullptr && !arp->on)
    return now == nullptr || std::ranges::any_of(now->routes, is_others_route);
  const auto* forwarding = std::get_if<SetForwarding>(&back);
  const auto* mark = std::get_if<SetMark>(&back);
  const bool is_off = forwarding != nullptr ? !forwarding->on : mark != nullptr && !mark->on;
  if (!is_off) return false;
  const Device& device = forwarding != nullptr ? forwarding->device : mark->device;
  if (device.ifindex == 0 || device.ifindex == ifindex)
    return forwarding != nullptr && (now == nullptr || std::ranges::any_of(now->routes, is_others_route));
  const auto* lan = now != nullptr ? now->link(device.ifindex) : nullptr;
  if (lan == nullptr) return now == nullptr;
  std::vector<IpRange> own;
  for (const auto& change : changes)
    if (const auto* made = std::get_if<AddProxyNeigh>(&change)) own.push_back(IpRange::just(made->address));
  return policy::is_forwarding_needed(*now, *lan, ifindex, own);
}

// The caller's explanation: "tap0 up with 10.99.0.254/32", "10.50.0.7 routed to tap0, published on eth0".
std::string explanation(const Plan& plan, const Outcome& outcome) {
  const Request& request = plan.grant().request();
  std::string text;
  if (outcome.tap) {
    text = outcome.tap->name.str() + " up";
    bool has_address = false;
    for (const auto& change : outcome.changes)
      if (const auto* port = std::get_if<SetMaster>(&change)) {
        text += " on bridge " + port->bridge.name;
        has_address = true;
      }
    for (const auto& change : outcome.changes)
      if (const auto* put = std::get_if<PutHostAddress>(&change)) {
        text += " with " + put->address.str();
        has_address = true;
      }
    if (!has_address) text += " without a host address";
  } else if (const auto* add = std::get_if<AddAddress>(&request)) {
    text = add->address.str() + " routed to " + add->device.str();
    for (const auto& change : outcome.changes)
      if (const auto* publish = std::get_if<AddProxyNeigh>(&change)) text += ", published on " + publish->lan.name;
    if (outcome.changes.empty()) text += " already";
  } else if (const auto* del = std::get_if<DeleteAddress>(&request)) {
    text = del->address.str() + " no longer routed to " + del->device.str();
    for (const auto& change : outcome.changes)
      if (const auto* withdraw = std::get_if<DelProxyNeigh>(&change))
        text += ", no longer published on " + withdraw->lan.name;
  } else {
    text = outcome.words.empty() ? "nothing was left behind" : "";
    for (const auto& words : outcome.words) text += (text.empty() ? "" : "\n") + words;
  }
  text += "\n";
  for (const auto& note : plan.notes()) text += note + "\n";
  return text;
}

}  // namespace

std::expected<Outcome, Failure> execute(const Plan& plan, HostEffects& effects) {
  Outcome outcome;
  outcome.device = plan.device();
  for (const auto& change : plan.changes()) {
    // Before each change: a caller can stop this process between any two, and hears of each by rtnetlink.
    if (plan.has_expired()) {
      if (!plan.all_or_nothing() && !outcome.changes.empty()) break;  // the rest is for the next request
      const bool is_begun = !outcome.changes.empty();
      return std::unexpected(Failure{.error = {Code::busy, 0, "the request was held up, and its decision expired",
                                               "Nothing was changed. Try again."},
                                     .done = std::move(outcome),
                                     .has_expired = !is_begun});
    }
    if (std::holds_alternative<MakePersistent>(change)) {
      outcome.remaining.push_back(change);
      continue;
    }
    const auto result = std::visit(Perform{effects, outcome.tap}, change);
    if (result) {
      outcome.changes.push_back(change);
      continue;
    }
    if (is_gone_already(change, result.error()) || is_marked_already(change, result.error())) continue;
    Error error = explained(change, result.error());
    if (!plan.all_or_nothing()) {
      outcome.words.push_back("failed: " + error.line());
      continue;
    }
    // Without an answer it may have been made, and then is to be taken back with the others.
    if (error.code == Code::no_answer) outcome.changes.push_back(change);
    return std::unexpected(Failure{std::move(error), std::move(outcome)});
  }
  if (outcome.tap) outcome.device = {outcome.tap->ifindex, outcome.tap->name.str()};
  for (const auto& change : outcome.changes)
    if (auto words = done_in_words(change, outcome.tap ? outcome.tap->name.str() : ""); !words.empty())
      outcome.words.push_back(std::move(words));
  outcome.text = explanation(plan, outcome);
  outcome.notes = plan.notes();
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

RolledBack rollback(Outcome outcome, const policy::HostState* now, HostEffects& effects, Handed handed) {
  RolledBack taken;
  const std::string new_tap = outcome.tap ? outcome.tap->name.str() : "";
  const int ifindex = outcome.tap ? outcome.tap->ifindex : outcome.device.ifindex;
  for (auto it = outcome.changes.rbegin(); it != outcome.changes.rend(); ++it) {
    const auto back = inverse(*it);
    const bool is_fresh = now != nullptr && boot_time() - now->read_at < kDecisionLasts;
    if (!back || is_needed_by_others(*back, outcome.changes, ifindex, is_fresh ? now : nullptr)) continue;
    const auto result = std::visit(Perform{effects, outcome.tap}, *back);
    if (auto words = done_in_words(*back, new_tap); result && !words.empty()) taken.done.push_back(std::move(words));
    if (result) continue;
    if (!is_gone_already(*back, result.error()) && !is_there_still(*back, result.error()))
      taken.failures.push_back(explained(*back, result.error(), new_tap).line());
  }
  // Closes its fds, and with them goes the device and all that was put on it.
  bool is_gone = true;
  if (outcome.tap && handed == Handed::maybe) {
    const Change deletion = DeleteTapDevice{{outcome.tap->ifindex, new_tap}, false};
    const auto deleted = std::visit(Perform{effects, outcome.tap}, deletion);
    is_gone = deleted || is_gone_already(deletion, deleted.error());
    if (!is_gone) taken.failures.push_back(explained(deletion, deleted.error(), new_tap).line());
  }
  if (outcome.tap && is_gone) taken.done.push_back(new_tap + " gone");
  outcome.tap.reset();
  return taken;
}

std::vector<std::string> RolledBack::words() const {
  auto all = done;
  for (const auto& failure : failures) all.push_back("failed: " + failure);
  return all;
}

}  // namespace umlnet::priv
