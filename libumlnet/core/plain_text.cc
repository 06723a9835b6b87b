#include "libumlnet/core/plain_text.h"

namespace umlnet {

std::string escaped(std::string_view bytes, std::size_t limit) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || c == '"') {
      text += '\\';
      text += c;
    } else if (c >= ' ' && c <= '~') {
      text += c;
    } else {
      text += "\\x";
      text += kDigits[byte >> 4];
      text += kDigits[byte & 0x0f];
    }
  }
  if (bytes.size() > limit) text += "...";
  return text;
}

}  // namespace umlnet
