// The replies of the UML protocol, version 4, as bytes. Integers are the machine's own `int`. The guest's buffer is one
// page: no reply is longer, a longer text is cut.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "libumlnet/core/error.h"
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

// The same, as the caller reads them. What does not keep to the form is Code::reply.

struct TapReply {
  IfName device;
  std::string text;  // as decode_text() has it
};
// The bytes of a datagram that came with one fd.
Result<TapReply> decode_tap_reply(std::string_view bytes);

// The int before framed text: how many bytes of text follow. At most kMaxReply.
Result<std::size_t> decode_text_length(std::array<std::uint8_t, sizeof(int)> bytes);

// Text as it came, up to its NUL if it has one. What is neither printable ASCII nor newline or tab becomes '?', so that
// it can be shown on a terminal.
std::string decode_text(std::string_view bytes);

}  // namespace umlnet::uml4
