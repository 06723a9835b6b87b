// What the options of "open" (native5_arguments.h) can be, and what they ask of each other: whatever way they came.
#pragma once

#include <cstddef>

#include "libumlnet/core/error.h"
#include "libumlnet/core/request.h"

namespace umlnet {

namespace native5 {
inline constexpr unsigned kMaxQueues = 64;
inline constexpr std::size_t kMaxAddresses = 16;  // of the host, and of the guest, where a network is one
inline constexpr unsigned kMinGuestLength = 8, kMinIpv6GuestLength = 16;  // of the prefix of a guest's network
inline constexpr unsigned kMinMtu = 68;                                   // RFC 791
inline constexpr unsigned kMinIpv6Mtu = 1280;                             // RFC 8200
inline constexpr unsigned kMaxMtu = 65521;  // MAX_MTU of drivers/net/tun.c: 65,535 less an Ethernet header
}  // namespace native5

// Code::usage or Code::bad_value, in the words of the command line.
Result<void> check_options(const OpenInterface& request);

}  // namespace umlnet
