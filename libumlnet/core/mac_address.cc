#include "libumlnet/core/mac_address.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace umlnet {

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  std::array<std::uint8_t, 6> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) {
      if (!text.starts_with(':')) return std::nullopt;
      text.remove_prefix(1);
    }
    const auto word = text.substr(0, std::min(text.find(':'), text.size()));
    if (word.empty() || word.size() > 2) return std::nullopt;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), bytes[i], 16);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    text.remove_prefix(word.size());
  }
  const bool is_group = (bytes[0] & 1) != 0;
  if (!text.empty() || is_group || std::ranges::all_of(bytes, [](auto byte) { return byte == 0; })) return std::nullopt;
  return MacAddress(bytes);
}

std::string MacAddress::str() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes_) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace umlnet
