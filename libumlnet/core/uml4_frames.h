// The replies of the UML protocol, version 4, as bytes. Integers are the machine's own `int`. The guest's buffer is one
// page: no reply is longer, a longer text is cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libumlnet/core/ifname.h"

namespace umlnet::uml4 {

inline constexpr std::size_t kMaxReply = 4096;  // bytes

// `tuntap up` granted: IFNAMSIZ (16) bytes of device name, padded with zeros, then the text and its NUL. One fd goes
// with it in an SCM_RIGHTS message, which is the sender's matter.
std::string tap_reply(const IfName& device, std::string_view text);

// `tuntap up` refused: the text and its NUL, nothing else, and no fd.
std::string tap_refusal(std::string_view text);

// `add` and `del`, either way: an int that counts the text with its NUL, then both. No text at all is an int 0.
std::string framed_text(std::string_view text);

// The beginning of an ethertap control stream: one byte, 1 where the session is granted and 0 where it is not, then
// framed text.
std::string control_opening(bool granted, std::string_view text);

}  // namespace umlnet::uml4
