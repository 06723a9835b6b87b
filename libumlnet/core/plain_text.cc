#include "libumlnet/core/plain_text.h"

namespace umlnet {
namespace {

bool is_printable(char c) { return c >= ' ' && c <= '~'; }

std::string in_hexadecimal(char c) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 0x0f]};
}

}  // namespace

std::string escaped(std::string_view bytes, std::size_t limit) {
  std::string text;
  for (const char c : bytes.substr(0, limit)) {
    if (c == '\\' || c == '"') {
      text += '\\';
      text += c;
    } else if (is_printable(c)) {
      text += c;
    } else {
      text += in_hexadecimal(c);
    }
  }
  if (bytes.size() > limit) text += "...";
  return text;
}

std::string in_quotes(std::string_view bytes, std::size_t limit) { return "\"" + escaped(bytes, limit) + "\""; }

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (is_printable(c))
      text += c;
    else
      text += in_hexadecimal(c);
  }
  return text;
}

}  // namespace umlnet
