// IPv6 addresses as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace umlnet {

class Ipv6 {
 public:
  constexpr Ipv6() = default;
  constexpr explicit Ipv6(std::array<std::uint8_t, 16> network_order) : bytes_(network_order) {}

  // RFC 4291 text, without a zone ("%eth0").
  static std::optional<Ipv6> parse(std::string_view text);

  constexpr const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  std::string str() const;

  constexpr auto operator<=>(const Ipv6&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

// Why `address` can never be one of a guest or of the host on a TAP (RFC 4291: ::, ::1, fe80::/10, ff00::/8 and
// ::ffff:0:0/96), in words for a person; nothing where it can.
std::optional<std::string_view> special_purpose(const Ipv6& address);

}  // namespace umlnet
