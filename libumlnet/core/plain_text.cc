#include "libumlnet/core/plain_text.h"

#include <algorithm>

namespace umlnet {
namespace {

bool is_printable_byte(char c) { return c >= ' ' && c <= '~'; }

// As it is, or in hexadecimal.
void append(std::string& text, char c) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (is_printable_byte(c))
    text += c;
  else
    text += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 0x0f]};
}

}  // namespace

bool is_printable(std::string_view text) { return std::ranges::all_of(text, is_printable_byte); }

std::string escaped(std::string_view bytes, std::size_t limit) {
  std::string text;
  for (const char c : bytes.substr(0, limit)) {
    if (c == '\\' || c == '"') text += '\\';
    append(text, c);
  }
  if (bytes.size() > limit) text += "...";
  return text;
}

std::string in_quotes(std::string_view bytes, std::size_t limit) { return "\"" + escaped(bytes, limit) + "\""; }

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) append(text, c);
  return text;
}

}  // namespace umlnet
