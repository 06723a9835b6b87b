#include "libumlnet/core/uml4_frames.h"

#include <algorithm>
#include <cstring>

namespace umlnet::uml4 {
namespace {

// A NUL inside would end the text early at the guest.
std::string terminated(std::string_view text, std::size_t room) {
  std::string bytes(text.substr(0, std::min(text.find('\0'), room - 1)));
  bytes += '\0';
  return bytes;
}

}  // namespace

std::string tap_reply(const IfName& device, std::string_view text) {
  std::string bytes = device.str();
  bytes.resize(IfName::kSize, '\0');
  return bytes + terminated(text, kMaxReply - IfName::kSize);
}

std::string tap_refusal(std::string_view text) { return terminated(text, kMaxReply); }

std::string framed_text(std::string_view text) {
  const std::string body = text.empty() ? std::string() : terminated(text, kMaxReply - sizeof(int));
  const int length = static_cast<int>(body.size());
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + body;
}

std::string control_opening(bool granted, std::string_view text) {
  // The guest prints text from a buffer of one page, and the status byte comes before.
  return std::string(1, granted ? '\1' : '\0') + framed_text(text.substr(0, kMaxReply - sizeof(int) - 2));
}

Result<TapReply> decode_tap_reply(std::string_view bytes) {
  if (bytes.size() < IfName::kSize) return fail(Code::reply, "the reply is too short for a device name");
  const auto field = bytes.substr(0, IfName::kSize);
  const auto device = IfName::parse(field.substr(0, field.find('\0')));
  if (!device) return fail(Code::reply, "the reply does not begin with a device name");
  return TapReply{.device = *device, .text = decode_text(bytes.substr(IfName::kSize))};
}

Result<std::size_t> decode_text_length(std::array<std::uint8_t, sizeof(int)> bytes) {
  int length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length < 0 || static_cast<std::size_t>(length) > kMaxReply)
    return fail(Code::reply, "the reply claims to have " + std::to_string(length) + " bytes of text");
  return static_cast<std::size_t>(length);
}

std::string decode_text(std::string_view bytes) {
  std::string text(bytes.substr(0, bytes.find('\0')));
  for (char& c : text)
    if ((c < ' ' || c > '~') && c != '\n' && c != '\t') c = '?';
  return text;
}

}  // namespace umlnet::uml4
