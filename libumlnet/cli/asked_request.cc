#include "libumlnet/cli/asked_request.h"

#include <string_view>
#include <utility>

#include "libumlnet/cli/words.h"
#include "libumlnet/core/call.h"
#include "libumlnet/core/device_tag.h"
#include "libumlnet/core/native5_arguments.h"
#include "libumlnet/core/plain_text.h"
#include "policy/lan_devices.h"

namespace umlnet::cli {
namespace {

Outcome<Ipv4> read_address(const std::string& option, const std::string& word) {
  if (const auto address = Ipv4::parse(word)) return *address;
  return misuse(option + " " + in_quotes(word) + " is not an IPv4 address");
}

Outcome<Ipv4Mask> read_mask(const std::string& option, const std::string& word) {
  if (const auto length = number(word, 32); length && !word.empty()) return Ipv4Mask(*length);
  if (const auto mask = Ipv4Mask::parse(word)) return *mask;
  return misuse(option + " " + in_quotes(word) + " is neither a netmask nor its length, as in 255.255.255.0 or 24");
}

// What an operation names.
struct Named {
  bool gateway = false, device = false, address = false, bridge = false;
};

Outcome<void> only(const AskedWords& words, const Named& named) {
  const auto stray = [&](const auto& option, const char* name, bool wanted) -> std::string {
    return option && !wanted ? name : "";
  };
  const std::string names[] = {
      stray(words.gateway, "--gateway", named.gateway), stray(words.device, "--device", named.device),
      stray(words.address, "--address", named.address), stray(words.netmask, "--netmask", named.address),
      stray(words.bridge, "--bridge", named.bridge),    words.removes && !named.address ? "--del" : ""};
  for (const auto& name : names)
    if (!name.empty()) return misuse(words.operation + " has no " + name);
  if (named.device && !words.device) return misuse(words.operation + " wants --device DEV");
  if (named.address && !words.address) return misuse(words.operation + " wants --address ADDR");
  if (named.bridge && !words.bridge) return misuse(words.operation + " wants --bridge BRIDGE");
  return {};
}

// In the native protocol's own words, read by its own parser.
Outcome<Request> native_request_of(const AskedWords& words) {
  if (const auto fit = only(words, {}); !fit) return std::unexpected(fit.error());
  std::vector<std::string_view> views = {words.operation};
  views.insert(views.end(), words.native.begin(), words.native.end());
  auto call = native5::parse_call(views);
  if (!call.request) return misuse(call.request.error().one_line());
  return *std::move(call.request);
}

}  // namespace

Outcome<Request> request_of(const AskedWords& words) {
  if (words.operation == "open" || words.operation == "remove" || words.operation == "session")
    return native_request_of(words);
  if (!words.native.empty())
    return misuse("one operation at a time: " + in_quotes(words.native.front()) + " is too much");
  std::optional<Ipv4> gateway;
  if (words.gateway) {
    const auto parsed = read_address("--gateway", *words.gateway);
    if (!parsed) return std::unexpected(parsed.error());
    gateway = *parsed;
  }
  const bool is_new = words.operation == "ethertap";
  const auto parse_name = [&](const std::string& text) {
    return is_new ? IfName::parse(text) : IfName::parse_existing(text);
  };
  const auto device = words.device ? parse_name(*words.device) : std::nullopt;
  if (words.device && !device) return misuse("--device " + in_quotes(*words.device) + " is not a device name");

  if (words.operation == "tuntap") {
    if (const auto fit = only(words, {.gateway = true}); !fit) return std::unexpected(fit.error());
    return MakeTap{.gateway = gateway};
  }
  if (words.operation == "ethertap") {
    if (const auto fit = only(words, {.gateway = true, .device = true}); !fit) return std::unexpected(fit.error());
    return OpenEthertap{.device = *device, .gateway = gateway};
  }
  if (words.operation == "address") {
    if (const auto fit = only(words, {.device = true, .address = true}); !fit) return std::unexpected(fit.error());
    const auto slash = words.address->find('/');
    const auto address = read_address("--address", words.address->substr(0, slash));
    if (!address) return std::unexpected(address.error());
    if (slash != std::string::npos && words.netmask) return misuse("--address has a length already: no --netmask");
    const auto mask = slash != std::string::npos
                          ? read_mask("the length in --address", words.address->substr(slash + 1))
                          : read_mask("--netmask", words.netmask.value_or("32"));
    if (!mask) return std::unexpected(mask.error());
    if (words.removes) return DeleteAddress{.device = *device, .address = *address, .netmask = *mask};
    return AddAddress{.device = *device, .address = *address, .netmask = *mask};
  }
  if (words.operation == "bridge") {
    if (const auto fit = only(words, {.bridge = true}); !fit) return std::unexpected(fit.error());
    const auto bridge = IfName::parse_existing(*words.bridge);
    if (!bridge) return misuse("--bridge " + in_quotes(*words.bridge) + " is not the name of a bridge");
    return MakeBridgedTap{.bridge = *bridge, .virtio_headers = false};
  }
  if (words.operation.empty())
    return misuse("say what is asked for: tuntap, ethertap, address, bridge, open, remove or session");
  return misuse(in_quotes(words.operation) +
                " is not an operation: it is tuntap, ethertap, address, bridge, open, remove or session");
}

std::string words_of(const Request& request) {
  struct Visitor {
    std::string operator()(const MakeTap& tap) const {
      return "tuntap" + (tap.gateway ? ", gateway " + tap.gateway->str() : "");
    }
    std::string operator()(const OpenEthertap& ethertap) const {
      return "ethertap, device " + ethertap.device.str() +
             (ethertap.gateway ? ", gateway " + ethertap.gateway->str() : "");
    }
    std::string operator()(const MakeBridgedTap& bridged) const { return "bridge, bridge " + bridged.bridge.str(); }
    std::string operator()(const AddAddress& add) const {
      return "add address " + add.address.str() + ", netmask " + add.netmask.str() + ", device " + add.device.str();
    }
    std::string operator()(const DeleteAddress& del) const {
      return "take back address " + del.address.str() + ", netmask " + del.netmask.str() + ", device " +
             del.device.str();
    }
    std::string operator()(const OpenInterface& open) const { return joined(native5::words_of(open)); }
    std::string operator()(const RemoveInterface& remove) const { return joined(native5::words_of(remove)); }
    std::string operator()(const OpenSession&) const { return "session"; }
    std::string operator()(const CollectGarbage&) const { return "gc"; }

    static std::string joined(const std::vector<std::string>& words) {
      std::string text;
      for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
      return text;
    }
  };
  return std::visit(Visitor{}, request);
}

policy::HostState assumed_host(const policy::Caller& caller, const Request& request) {
  policy::HostState host;
  const auto* open = std::get_if<OpenInterface>(&request);
  auto bridge = open != nullptr ? open->bridge : std::nullopt;
  if (const auto* bridged = std::get_if<MakeBridgedTap>(&request)) bridge = bridged->bridge;
  if (bridge) {
    rtnetlink::Link link;
    link.ifindex = 1;
    link.name = bridge->str();
    link.kind = "bridge";
    host.links.push_back(std::move(link));
  }
  std::optional<IfName> device;
  if (const auto* add = std::get_if<AddAddress>(&request)) device = add->device;
  if (const auto* del = std::get_if<DeleteAddress>(&request)) device = del->device;
  if (const auto* remove = std::get_if<RemoveInterface>(&request)) device = remove->device;
  if (!device) return host;
  rtnetlink::Link link;
  link.ifindex = 1;
  link.name = device->str();
  link.kind = "tun";
  link.tap = link.up = link.carrier = true;
  link.alias = DeviceTag{.uid = caller.uid, .id = RequestId({}), .since = {}, .request = "assumed"}.str();
  link.tun_owner = caller.uid;
  host.links.push_back(std::move(link));
  return host;
}

bool names_guests(const Request& request) {
  const auto* open = std::get_if<OpenInterface>(&request);
  return std::holds_alternative<AddAddress>(request) || (open != nullptr && !open->bridge && !open->guests.empty());
}

std::vector<const rtnetlink::Link*> lans_asked_for(const Request& request, const policy::HostState& host) {
  std::vector<const rtnetlink::Link*> lans;
  if (!names_guests(request)) return lans;
  if (const auto* add = std::get_if<AddAddress>(&request)) return policy::lans_of(host, add->address, add->netmask);
  for (const auto& guest : std::get<OpenInterface>(request).guests)
    for (const auto* lan : policy::lans_for(host, guest)) lans.push_back(lan);
  return lans;
}

}  // namespace umlnet::cli
