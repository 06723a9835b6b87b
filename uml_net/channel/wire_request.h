// A request in a fixed number of bytes: how the front, which reads what the caller wrote, passes it to the executor,
// which believes nothing that the front says. No pointer, no length but small counts, nothing to parse.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "libumlnet/core/anti_spoof.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/request.h"

namespace umlnet {

struct WireAddress {
  std::uint8_t is_ipv6 = 0;
  std::uint8_t length = 0;                  // of the prefix
  std::array<std::uint8_t, 16> bytes = {};  // of IPv4 the first four
};

// Each field counts only for the kinds that have it, and is zero otherwise.
struct WireRequest {
  std::uint8_t kind = 0;                                   // the index in Request
  std::array<char, IfName::kAlternativeSize> device = {};  // a NUL after it; empty: none
  std::array<char, IfName::kAlternativeSize> bridge = {};
  WireAddress address = {};  // of add and del, with the netmask as its length; the gateway
  std::uint8_t has_gateway = 0;
  std::uint8_t address_count = 0, guest_count = 0, guest_mac_count = 0;
  std::array<WireAddress, kMaxGuestAddresses> addresses = {}, guests = {};
  std::array<std::array<std::uint8_t, 6>, kMaxGuestMacs> guest_macs = {};
  std::uint8_t has_mtu = 0, has_mac = 0, has_netns = 0, has_owner = 0, owner_is_group = 0;
  std::uint8_t isolated = 0, virtio_headers = 0, persistent = 0, sealed = 0, anti_spoof = 0, events = 0;
  std::array<std::uint8_t, 6> mac = {};
  std::uint32_t mtu = 0, queues = 0, owner = 0;
  std::int32_t netns = 0;
};
static_assert(std::is_trivially_copyable_v<WireRequest>);

// `request` must be one that a parser made.
WireRequest encode(const Request& request);

// Nothing for what no parser makes of any words: an invalid name, a number out of its range, options that exclude
// each other.
std::optional<Request> decode(const WireRequest& wire);

}  // namespace umlnet
