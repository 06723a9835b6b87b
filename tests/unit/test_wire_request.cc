// What the front passes to the executor, and what the executor makes of it.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/call.h"
#include "libumlnet/core/native5_arguments.h"
#include "uml_net/channel/message.h"
#include "uml_net/channel/wire_request.h"

using namespace umlnet;

namespace {

using Words = std::vector<std::string_view>;

const Words kCalls[] = {
    {"4", "tuntap", "up"},
    {"4", "tuntap", "up", "10.99.0.254"},
    {"4", "ethertap", "tap7", "9"},
    {"4", "ethertap", "tap7", "9", "10.99.0.254"},
    {"4", "add", "tap0", "10.50.0.7", "255.255.255.0"},
    {"4", "del", "a-name-that-only-an-alternative-one-can-be", "10.50.0.7", "0.0.0.0"},
    {"--fd=3", "--br=br0"},
    {"--use-vnet", "--fd=3", "--br=br0"},
    {"5", "open"},
    {"5", "open", "device=tap7", "address=10.99.0.254/24", "address=fd00::1/64", "guest=10.50.0.7",
     "guest=10.51.0.0/29", "guest=fd00:50::/48", "anti-spoof", "guest-mac=52:54:00:aa:bb:cc",
     "guest-mac=52:54:00:aa:bb:cd", "mtu=9000", "mac=02:00:00:00:00:01", "queues=3", "persist", "owner=:1001"},
    {"5", "open", "bridge=br0", "isolated", "vnet-hdr", "queues=64"},
    {"5", "open", "netns=4", "sealed"},
    {"5", "remove", "device=tap7"},
    {"5", "session"},
    {"5", "session", "events"},
    {"gc"},
};

Request request_of(const Words& words) {
  auto call = parse_call(words);
  REQUIRE_MESSAGE(call.request.has_value(), words.back());
  return *std::move(call.request);
}

// Each change makes a request that no words say.
WireRequest open_with(const auto& change) {
  auto wire = encode(request_of(kCalls[9]));
  change(wire);
  return wire;
}

}  // namespace

TEST_CASE("wire request: what the words said comes back") {
  std::vector<bool> kinds(std::variant_size_v<Request>);
  for (const auto& words : kCalls) {
    const Request request = request_of(words);
    kinds[request.index()] = true;
    const WireRequest wire = encode(request);
    const auto back = decode(wire);
    REQUIRE_MESSAGE(back.has_value(), words.back());
    const WireRequest again = encode(*back);
    CHECK(std::string_view(reinterpret_cast<const char*>(&again), sizeof again) ==
          std::string_view(reinterpret_cast<const char*>(&wire), sizeof wire));
    if (const auto* open = std::get_if<OpenInterface>(&request))
      CHECK(native5::words_of(*open) == native5::words_of(std::get<OpenInterface>(*back)));
  }
  for (const bool is_there : kinds) CHECK(is_there);
}

TEST_CASE("wire request: what no words say is nothing") {
  const auto name = [](std::string_view text) {
    std::array<char, IfName::kAlternativeSize> place{};
    text.copy(place.data(), place.size());
    return place;
  };
  REQUIRE(decode(open_with([](WireRequest&) {})));
  const WireRequest wrong[] = {
      open_with([](auto& wire) { wire.kind = 9; }),
      open_with([](auto& wire) { wire.kind = 255; }),
      open_with([](auto& wire) { wire.device.fill('x'); }),  // no NUL
      open_with([&](auto& wire) { wire.device = name("tap/7"); }),
      open_with([&](auto& wire) { wire.device = name("sixteen-letters-"); }),
      open_with([](auto& wire) { wire.address_count = 17; }),
      open_with([](auto& wire) { wire.guest_count = 255; }),
      open_with([](auto& wire) { wire.guest_mac_count = 9; }),
      open_with([](auto& wire) { wire.addresses[0].length = 33; }),
      open_with([](auto& wire) { wire.addresses[1].length = 129; }),
      open_with([](auto& wire) { wire.addresses[1] = wire.addresses[0]; }),    // twice
      open_with([](auto& wire) { wire.guests[0] = wire.addresses[0]; }),       // bits beyond the prefix
      open_with([](auto& wire) { wire.guests[1].length = 7; }),                // too large a network
      open_with([](auto& wire) { wire.guest_macs[0][0] = 1; }),                // a group's
      open_with([](auto& wire) { wire.guest_macs[1] = wire.guest_macs[0]; }),  // twice
      open_with([](auto& wire) { wire.mac = {}; }),                            // of zeros
      open_with([](auto& wire) { wire.mtu = 67; }),
      open_with([](auto& wire) { wire.mtu = 65522; }),
      open_with([](auto& wire) { wire.mtu = 1000; }),  // with IPv6
      open_with([](auto& wire) { wire.queues = 0; }),
      open_with([](auto& wire) { wire.queues = 65; }),
      open_with([](auto& wire) { wire.sealed = 1; }),             // with several queues
      open_with([](auto& wire) { wire.has_netns = 1; }),          // with persist
      open_with([&](auto& wire) { wire.bridge = name("br0"); }),  // with addresses
      open_with([](auto& wire) { wire.anti_spoof = 0; }),
  };
  for (const auto& wire : wrong) CHECK_FALSE(decode(wire));
}

TEST_CASE("wire request: an error is cut, and never unexplained") {
  const Error error{Code::denied, 13, std::string(5000, 'x'), "advice"};
  const Error back = decode(encode(error));
  CHECK((back.code == Code::denied && back.errnum == 13 && back.what == std::string(1023, 'x') && back.advice.empty()));
  WireError wire{.code = 200};
  CHECK((decode(wire).code == Code::bug && !decode(wire).what.empty()));
  wire.what.fill('y');  // no NUL
  CHECK(decode(wire).what == std::string(1024, 'y'));
}
