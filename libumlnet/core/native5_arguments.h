// The grammar of the native protocol, version 5: that of a one-shot call's argument list and of one record of a
// session, word for word. uml_net(8) documents it.
//
//   open [OPTION...]       device=NAME address=ADDRESS[/LENGTH]... guest=ADDRESS[/LENGTH]... guest-mac=MAC...
//   bridge=NAME
//                          isolated mtu=BYTES mac=MAC queues=N vnet-hdr netns=FD persist owner=[:]ID sealed
//                          anti-spoof
//   remove device=NAME
//   session [events]       as a call only
//   reload                 as a record only
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/call.h"

namespace umlnet::native5 {

inline constexpr unsigned kMaxQueues = 64;
inline constexpr std::size_t kMaxAddresses = 16;  // of the host, and of the guest, where a network is one
inline constexpr unsigned kMinGuestLength = 8, kMinIpv6GuestLength = 16;  // of the prefix of a guest's network
inline constexpr unsigned kMinMtu = 68;                                   // RFC 791
inline constexpr unsigned kMinIpv6Mtu = 1280;                             // RFC 8200
inline constexpr unsigned kMaxMtu = 65521;       // MAX_MTU of drivers/net/tun.c: 65,535 less an Ethernet header
inline constexpr std::size_t kMaxRecord = 8192;  // bytes

// `words` is what stands behind the "5". A descriptor is named by its number, from 3 on.
Call parse_call(std::span<const std::string_view> words);

// One record of a session: the words, each ended by a NUL byte. A descriptor is named by its place among those that
// came with the record, from 0 on. `session` itself is no request within one.
Result<Request> parse_record(std::string_view record);

// The record by which a session takes the new policy. It is not a Request: nothing of the host is asked for.
inline constexpr std::string_view kReload("reload\0", 7);

// The words of a request: what the parsers above understand again as the same.
std::vector<std::string> words_of(const OpenInterface& request);
std::vector<std::string> words_of(const RemoveInterface& request);
// The same as one record.
std::string to_record(std::span<const std::string> words);

}  // namespace umlnet::native5
