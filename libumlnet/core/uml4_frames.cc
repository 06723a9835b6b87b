#include "libumlnet/core/uml4_frames.h"

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

}  // namespace umlnet::uml4
