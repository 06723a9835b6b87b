// The command line, whatever its bytes: words that a NUL parts, as execve() has them.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "libumlnet/core/call.h"
#include "libumlnet/core/native5_arguments.h"
#include "policy/decide.h"
#include "policy/loader/load.h"
#include "require.h"
#include "tests/unit/fake_host.h"

using namespace umlnet;
using fuzz::require_readable;

namespace {

using Words = std::vector<std::string>;

std::vector<std::string_view> split(std::string_view bytes) {
  std::vector<std::string_view> words;
  for (;;) {
    const auto end = bytes.find('\0');
    words.push_back(bytes.substr(0, end));
    if (end == std::string_view::npos) return words;
    bytes.remove_prefix(end + 1);
  }
}

// How a caller would ask for it, in the protocol's own words.
struct Asked {
  std::optional<int> descriptor;

  static Words with(Words words, const std::optional<Ipv4>& gateway) {
    if (gateway) words.push_back(gateway->str());
    return words;
  }
  Words operator()(const MakeTap& r) const { return with({"4", "tuntap", "up"}, r.gateway); }
  Words operator()(const OpenEthertap& r) const {
    return with({"4", "ethertap", r.device.str(), std::to_string(descriptor.value_or(0))}, r.gateway);
  }
  Words operator()(const MakeBridgedTap& r) const {
    Words words = {"--fd=" + std::to_string(descriptor.value_or(0)), "--br=" + r.bridge.str()};
    if (r.virtio_headers) words.emplace_back("--use-vnet");
    return words;
  }
  Words operator()(const AddAddress& r) const { return {"4", "add", r.device.str(), r.address.str(), r.netmask.str()}; }
  Words operator()(const DeleteAddress& r) const {
    return {"4", "del", r.device.str(), r.address.str(), r.netmask.str()};
  }
  static Words native(Words words) {
    words.insert(words.begin(), "5");
    return words;
  }
  Words operator()(const OpenInterface& r) const { return native(native5::words_of(r)); }
  Words operator()(const RemoveInterface& r) const { return native(native5::words_of(r)); }
  Words operator()(const OpenSession&) const { return {"5", "session"}; }
  Words operator()(const CollectGarbage&) const { return {"gc"}; }
};

Words asked(const Call& call) { return std::visit(Asked{call.descriptor}, *call.request); }

const policy::Policy& some_policy() {
  static const policy::Policy policy = [] {
    const policy::PolicyText text{"policy.json", R"({"version": 1, "rules": [
      {"name": "never", "effect": "deny", "users": ["*"], "gateways": ["10.99.0.0/28"]},
      {"name": "some", "users": [1001], "operations": ["tuntap", "ethertap", "address", "bridge", "open"],
       "max_queues": 2, "max_mtu": 9000, "anti_spoof": true, "devices": ["tap*"], "gateways": ["10.99.0.0/16"], "guests": ["10.50.0.0/24"], "bridges": ["br0"]}]})"};
    return *policy::load(std::span(&text, 1), {});
  }();
  return policy;
}

bool in(const char* range, Ipv4 address) { return IpRange::parse(range)->contains(address); }

// Nothing is granted that no rule lists.
struct Granted {
  static void require_gateway(const std::optional<Ipv4>& gateway) {
    if (!gateway) return;
    REQUIRE_THAT(in("10.99.0.0/16", *gateway));
    REQUIRE_THAT(!in("10.99.0.0/28", *gateway));
  }
  void operator()(const MakeTap& r) const { require_gateway(r.gateway); }
  void operator()(const OpenEthertap& r) const {
    require_gateway(r.gateway);
    REQUIRE_THAT(r.device.str().starts_with("tap"));
  }
  void operator()(const MakeBridgedTap& r) const { REQUIRE_THAT(r.bridge.str() == "br0"); }
  void operator()(const AddAddress& r) const {
    REQUIRE_THAT(r.device.str() == "tap0");  // the caller's
    REQUIRE_THAT(in("10.50.0.0/24", r.address));
    REQUIRE_THAT(r.address != test::ip("10.50.0.1"));  // the host's own
  }
  void operator()(const DeleteAddress& r) const { REQUIRE_THAT(r.device.str() == "tap0"); }
  void operator()(const OpenInterface& r) const {
    REQUIRE_THAT(!r.device || r.device->str().starts_with("tap"));
    for (const auto& address : r.addresses) REQUIRE_THAT(IpRange::parse("10.99.0.0/16")->covers(address.network()));
    for (const auto& guest : r.guests) REQUIRE_THAT(IpRange::parse("10.50.0.0/24")->covers(guest));
    REQUIRE_THAT(!r.bridge || r.bridge->str() == "br0");
    REQUIRE_THAT(r.queues <= 2 && r.mtu.value_or(0) <= 9000);
    REQUIRE_THAT(r.anti_spoof && !r.virtio_headers && !r.netns && !r.persistent && !r.mac);
  }
  void operator()(const RemoveInterface& r) const { REQUIRE_THAT(r.device.str() == "tap0"); }
  void operator()(const OpenSession&) const {}
  void operator()(const CollectGarbage&) const {}
};

void require_policy_holds(const Request& request) {
  static const policy::HostState host = [] {
    auto host = test::small_host();
    host.links.push_back(test::bridge(7, "br0"));
    host.links.push_back(test::bridge(8, "br1"));
    host.links.push_back(test::tap(9, "tap1", 1002));
    return host;
  }();
  const auto grant = policy::decide(some_policy(), test::caller(1001), request, host);
  if (grant)
    std::visit(Granted{}, request);
  else
    require_readable(grant.error().error);
  // Whom no rule names gets nothing.
  const auto stranger = policy::decide(some_policy(), test::caller(1003), request, host);
  REQUIRE_THAT(!stranger || std::holds_alternative<CollectGarbage>(request));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto words = split(bytes);
  const Call call = parse_call(words);
  REQUIRE_THAT(!call.descriptor || *call.descriptor > 2);
  if (!call.request) {
    require_readable(call.request.error());
    REQUIRE_THAT(exit_status_of(call.reply, call.request.error()) > 0);
    return 0;
  }
  // What is understood can be said again, and means the same.
  const Words again = asked(call);
  const std::vector<std::string_view> views(again.begin(), again.end());
  const Call second = parse_call(views);
  REQUIRE_THAT(second.request.has_value());
  REQUIRE_THAT(asked(second) == again);
  REQUIRE_THAT(second.protocol == call.protocol && second.operation == call.operation && second.reply == call.reply);
  REQUIRE_THAT(call.operation == request_name(*call.request));
  // A word more is a word too many, but where the order of options is free.
  if (call.protocol == Protocol::uml4) {
    auto longer = views;
    longer.insert(longer.end(), 3, "10.99.0.254");
    REQUIRE_THAT(!parse_call(longer).request);
  }
  require_policy_holds(*call.request);
  return 0;
}
