#include "libumlnet/core/ifname.h"

#include <algorithm>

namespace umlnet {

std::optional<IfName> IfName::parse(std::string_view text) { return parse_shorter_than(kSize, text); }

std::optional<IfName> IfName::parse_existing(std::string_view text) {
  return parse_shorter_than(kAlternativeSize, text);
}

std::optional<IfName> IfName::parse_shorter_than(std::size_t size, std::string_view text) {
  if (text.empty() || text.size() >= size || text == "." || text == "..") return std::nullopt;
  const auto forbidden = [](char c) { return c <= ' ' || c > '~' || c == '/' || c == ':' || c == '%'; };
  if (std::ranges::any_of(text, forbidden)) return std::nullopt;
  return IfName(text);
}

bool IfName::is_plain() const {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return name_.front() != '-' && std::ranges::all_of(name_, plain);
}

}  // namespace umlnet
