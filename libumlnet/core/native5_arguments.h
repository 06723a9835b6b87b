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
#include "libumlnet/core/native5_words.h"
#include "libumlnet/core/open_options.h"

namespace umlnet::native5 {

inline constexpr std::size_t kMaxRecord = 8192;  // bytes

// `words` is what stands behind the "5". A descriptor is named by its number, from 3 on.
Call parse_call(std::span<const std::string_view> words);

// One record of a session: the words, each ended by a NUL byte. A descriptor is named by its place among those that
// came with the record, from 0 on. `session` itself is no request within one.
Result<Request> parse_record(std::string_view record);

// The record by which a session takes the new policy. It is not a Request: nothing of the host is asked for.
inline constexpr std::string_view kReload("reload\0", 7);

}  // namespace umlnet::native5
