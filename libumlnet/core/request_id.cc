#include "libumlnet/core/request_id.h"

#include <cstddef>

namespace umlnet {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

constexpr bool hyphen_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

}  // namespace

RequestId::RequestId(std::array<std::uint8_t, 16> random) : bytes_(random) {
  bytes_[6] = static_cast<std::uint8_t>((bytes_[6] & 0x0f) | 0x40);  // version 4
  bytes_[8] = static_cast<std::uint8_t>((bytes_[8] & 0x3f) | 0x80);  // RFC 9562 variant
}

std::optional<RequestId> RequestId::parse(std::string_view text) {
  if (text.size() != kTextSize) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (hyphen_before(i) && text[at++] != '-') return std::nullopt;
    const auto high = kDigits.find(text[at++]), low = kDigits.find(text[at++]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  const RequestId id(bytes);
  if (id.bytes_ != bytes) return std::nullopt;  // another version or variant
  return id;
}

std::string RequestId::str() const {
  std::string text;
  text.reserve(kTextSize);
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if (hyphen_before(i)) text += '-';
    text += kDigits[bytes_[i] >> 4];
    text += kDigits[bytes_[i] & 0x0f];
  }
  return text;
}

}  // namespace umlnet
