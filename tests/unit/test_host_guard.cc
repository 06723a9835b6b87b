// The program on frames of every kind, in an interpreter; tests/hostile/test_guest_frames.py runs it in the kernel.
#include <doctest/doctest.h>

#include <linux/pkt_cls.h>

#include <algorithm>
#include <array>
#include <random>

#include "classic_bpf.h"
#include "guest_frames.h"
#include "libumlnet/core/host_guard.h"
#include "libumlnet/core/network_order.h"

using namespace umlnet;
using namespace umlnet::guest_frames;

namespace {

constexpr auto kPassed = static_cast<std::uint32_t>(TC_ACT_UNSPEC);
constexpr std::uint32_t kDropped = TC_ACT_SHOT;
const Ipv6 kLinkLocal = *Ipv6::parse("fe80::5054:ff:fe12:3456");
const Bytes kPing = {8, 0, 0, 0, 0, 0, 0, 0};

std::uint32_t verdict(const Bytes& frame, GuestProtocols protocols, bool tagged = false) {
  return run_classic_bpf(host_guard_program(protocols), frame, tagged);
}

// What the program is to say, without regard to how it finds out.
bool is_harmless(const Bytes& frame, GuestProtocols protocols) {
  constexpr auto kExtensionHeaders = std::to_array<std::uint8_t>({0, 43, 44, 51, 60, 135, 139, 140});
  const auto is_extension = [&](std::uint8_t next) { return std::ranges::count(kExtensionHeaders, next) != 0; };
  if (frame.size() < 14) return false;
  const unsigned type = get_be16(frame, 12);
  if (type == 0x0806) return true;
  if (type == 0x0800) {
    if (frame.size() < 34 || frame[14] >> 4 != 4) return false;
    if (frame[23] != 1 || get_be16(frame, 20) % 0x2000 != 0) return true;
    const std::size_t icmp = 14 + frame[14] % 16U * 4U;
    return frame.size() > icmp && frame[icmp] != 5 && frame[icmp] != 9;
  }
  if (type != 0x86dd || protocols == GuestProtocols::ipv4 || frame.size() < 54 || frame[14] >> 4 != 6) return false;
  const auto next = frame[20];
  if (next == 58) return frame.size() > 54 && frame[54] != 134 && frame[54] != 137;
  if (next != 0 && next != 60 && next != 44) return !is_extension(next);
  if (frame.size() < 62 || is_extension(frame[54]) || (next != 44 && frame[55] != 0)) return false;
  if (frame[54] != 58 || (next == 44 && get_be16(frame, 56) >> 3 != 0)) return true;
  return frame.size() > 62 && (frame[62] < 133 || frame[62] > 137);
}

struct Row {
  std::string what;
  Bytes frame;
};
struct Disguise {
  std::string what;
  std::uint8_t next;
  Bytes payload;
};

// Each is cut at each of its bytes too: it never ends in a load outside of it, which the kernel would take for "pass".
void expect(std::uint32_t ipv4, std::uint32_t ipv4_and_ipv6, const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(verdict(row.frame, GuestProtocols::ipv4) == ipv4);
    CHECK(verdict(row.frame, GuestProtocols::ipv4_and_ipv6) == ipv4_and_ipv6);
    for (const auto protocols : {GuestProtocols::ipv4, GuestProtocols::ipv4_and_ipv6}) {
      CHECK(verdict(row.frame, protocols, true) == kDropped);
      for (std::size_t size = 0; size <= row.frame.size(); ++size) {
        const Bytes cut(row.frame.begin(), row.frame.begin() + std::ptrdiff_t(size));
        CHECK(verdict(cut, protocols) == (is_harmless(cut, protocols) ? kPassed : kDropped));
      }
    }
  }
}

std::vector<Row> harmless_ipv4() {
  return {{"UDP", ipv4({})},
          {"from any address", ipv4({.source = "0.0.0.0"})},
          {"a DHCP client", ipv4(dhcp())},
          {"a super-frame", ipv4({.protocol = 6, .payload = zeros(3000)})},
          {"a ping", ipv4({.protocol = kIcmp, .payload = kPing})},
          {"a ping behind options", ipv4({.protocol = kIcmp, .payload = zeros(40) + kPing, .lead = 0x4f})},
          {"the first fragment of a ping", ipv4({.protocol = kIcmp, .fragment = 0x2000, .payload = kPing})},
          {"a later one, whatever is in it", ipv4({.protocol = kIcmp, .fragment = 1, .payload = Bytes(8, 5)})},
          {"no redirect, but UDP", ipv4({.payload = Bytes(8, 5)})},
          {"an ARP request", arp({})},
          {"an ARP reply", arp({.operation = 2, .sender_mac = kOther})}};
}

std::vector<Row> ipv4_by_which_a_router_configures() {
  std::vector<Row> rows = {
      {"ICMP without type", ipv4({.protocol = kIcmp, .payload = {}})},
      {"a header that is longer than the frame", ipv4({.protocol = kIcmp, .payload = zeros(39), .lead = 0x4f})},
      {"of another version", ipv4({.lead = 0x65})}};
  for (const std::uint8_t type : {std::uint8_t{5}, std::uint8_t{9}}) {
    const Bytes message = Bytes{type, 1} + zeros(34);
    rows.push_back({"plain", ipv4({.protocol = kIcmp, .payload = message})});
    rows.push_back({"options", ipv4({.protocol = kIcmp, .payload = zeros(4) + message, .lead = 0x46})});
    rows.push_back({"all options", ipv4({.protocol = kIcmp, .payload = zeros(40) + message, .lead = 0x4f})});
    rows.push_back({"the first fragment", ipv4({.protocol = kIcmp, .fragment = 0x2000, .payload = message})});
    rows.push_back({"just the type", ipv4({.protocol = kIcmp, .fragment = 0x2000, .payload = {type}})});
    rows.push_back({"not to be fragmented", ipv4({.protocol = kIcmp, .fragment = 0x4000, .payload = message})});
  }
  return rows;
}

std::vector<Row> harmless_ipv6() {
  const auto& own = kLinkLocal;
  return {{"UDP", ipv6(own, kUdp, zeros(8))},
          {"nothing in it", ipv6(own, 59, {})},
          {"ESP", ipv6(own, 50, zeros(16))},
          {"an echo", ipv6(own, kIcmpv6, router(128))},
          {"asks for a neighbour", ipv6(own, kIcmpv6, solicitation(own) + link_layer(1))},
          {"answers", ipv6(own, kIcmpv6, advertisement(own) + link_layer(2, kOther))},
          {"asks for routers", ipv6(own, kIcmpv6, router(133))},
          {"before it has an address", ipv6({}, kIcmpv6, solicitation(own))},
          {"a listener's report", ipv6(own, kHopByHop, options_header(kIcmpv6) + router(143) + zeros(20))},
          {"destination options", ipv6(own, kDestination, options_header(kUdp) + zeros(40))},
          {"a fragment", ipv6(own, kFragment, fragment_header(kUdp, 0, true) + zeros(64))},
          {"a fragment of an echo", ipv6(own, kFragment, fragment_header(kIcmpv6, 0, true) + router(128))},
          {"its later one", ipv6(own, kFragment, fragment_header(kIcmpv6, 1, false) + Bytes(8, 134))}};
}

std::vector<Row> ipv6_by_which_a_router_configures() {
  std::vector<Row> rows = {
      {"no type", ipv6(kLinkLocal, kIcmpv6, {})},
      {"no type in the first fragment", ipv6(kLinkLocal, kFragment, fragment_header(kIcmpv6, 0, true))},
      {"of another version", ipv6(kLinkLocal, kUdp, zeros(8), 0x45)}};
  for (const std::uint8_t type : {std::uint8_t{134}, std::uint8_t{137}}) {
    const Bytes message = router(type) + zeros(32);
    for (const auto& [what, next, payload] : std::vector<Disguise>{
             {"plain", kIcmpv6, message},
             {"hop-by-hop options", kHopByHop, options_header(kIcmpv6) + message},
             {"long ones", kHopByHop, options_header(kIcmpv6, 1) + message},
             {"destination options", kDestination, options_header(kIcmpv6) + message},
             {"both", kHopByHop, options_header(kDestination) + options_header(kIcmpv6) + message},
             {"a routing header", kRouting, Bytes{kIcmpv6, 0, 0, 0, 0, 0, 0, 0} + message},
             {"an authentication header", kAh, options_header(kIcmpv6) + zeros(4) + message},
             {"mobility", 135, options_header(kIcmpv6) + message},
             {"the only fragment", kFragment, fragment_header(kIcmpv6, 0, false) + message},
             {"the first fragment", kFragment, fragment_header(kIcmpv6, 0, true) + message},
             {"of which just the type", kFragment, fragment_header(kIcmpv6, 0, true) + Bytes{type}},
             {"options in a fragment", kFragment, fragment_header(kDestination, 0, true) + options_header(kIcmpv6)},
             {"a fragment behind options", kHopByHop,
              options_header(kFragment) + fragment_header(kIcmpv6, 0, false) + message}})
      rows.push_back({what, ipv6(kLinkLocal, next, payload)});
  }
  return rows;
}

}  // namespace

TEST_CASE("host guard: IPv4 and ARP pass, and nothing by which a router configures a host") {
  expect(kPassed, kPassed, harmless_ipv4());
  expect(kDropped, kDropped, ipv4_by_which_a_router_configures());
}

TEST_CASE("host guard: IPv6 passes where it was granted, and nothing by which a router configures a host") {
  expect(kDropped, kPassed, harmless_ipv6());
  expect(kDropped, kDropped, ipv6_by_which_a_router_configures());
}

TEST_CASE("host guard: no other EtherType, and no frame that holds none") {
  for (const unsigned type : {0x0000, 0x0026, 0x05dc, 0x0600, 0x8035, 0x8100, 0x88a8, 0x8847, 0x8848, 0x8863, 0x8864,
                              0x888e, 0x88cc, 0x88e5, 0x9100, 0x9000, 0xffff})
    expect(kDropped, kDropped, {{"another EtherType", ethernet(type, zeros(46))}});
  expect(kDropped, kDropped,
         {{"no frame", {}}, {"a tag within", ethernet(0x8100, half(0) + half(0x86dd) + ipv6(kLinkLocal, kUdp, {}))}});
}

TEST_CASE("host guard: a plain second reading says the same of changed frames") {
  std::vector<Row> rows = harmless_ipv4();
  for (const auto& more : {ipv4_by_which_a_router_configures(), harmless_ipv6(), ipv6_by_which_a_router_configures()})
    rows.insert(rows.end(), more.begin(), more.end());
  std::erase_if(rows, [](const Row& row) { return row.frame.size() > 200; });
  constexpr auto kBytes = std::to_array<std::uint8_t>(
      {0, 1, 5, 6, 8, 9, 17, 43, 44, 51, 58, 60, 0x45, 0x4f, 0x60, 133, 134, 137, 0x86, 0xdd});
  std::mt19937 random(17);  // NOLINT(bugprone-random-generator-seed): the same each time
  const auto below = [&](std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random); };
  std::size_t passed = 0;
  constexpr std::size_t kFrames = 50'000;
  for (std::size_t i = 0; i < kFrames; ++i) {
    Bytes frame = rows[below(rows.size())].frame;
    // Mostly where the programs look.
    for (std::size_t changes = below(4); changes > 0; --changes)
      frame[12 + below(std::min<std::size_t>(frame.size(), 70) - 12)] = kBytes[below(kBytes.size())];
    if (below(3) == 0) frame.resize(below(frame.size() + 1));
    for (const auto protocols : {GuestProtocols::ipv4, GuestProtocols::ipv4_and_ipv6}) {
      const bool harmless = is_harmless(frame, protocols);
      passed += harmless ? 1 : 0;
      if (verdict(frame, protocols) == (harmless ? kPassed : kDropped)) continue;
      CAPTURE(frame.size());
      FAIL("the program says something else of a frame");
    }
  }
  CHECK(passed > kFrames / 4);
}
