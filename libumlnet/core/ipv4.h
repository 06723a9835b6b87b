// IPv4 addresses and netmasks as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace umlnet {

class Ipv4 {
 public:
  constexpr Ipv4() = default;
  constexpr explicit Ipv4(std::uint32_t host_order) : value_(host_order) {}

  // Four decimal numbers with dots, nothing else: no leading zeros, no spaces, no hexadecimal, no missing parts.
  static std::optional<Ipv4> parse(std::string_view text);
  static constexpr Ipv4 from_bytes(std::array<std::uint8_t, 4> network_order) {
    return Ipv4(std::uint32_t{network_order[0]} << 24 | std::uint32_t{network_order[1]} << 16 |
                std::uint32_t{network_order[2]} << 8 | std::uint32_t{network_order[3]});
  }

  constexpr std::uint32_t value() const { return value_; }
  constexpr std::array<std::uint8_t, 4> bytes() const {
    return {static_cast<std::uint8_t>(value_ >> 24), static_cast<std::uint8_t>(value_ >> 16),
            static_cast<std::uint8_t>(value_ >> 8), static_cast<std::uint8_t>(value_)};
  }
  std::string str() const;

  constexpr auto operator<=>(const Ipv4&) const = default;

 private:
  std::uint32_t value_ = 0;
};

// A netmask whose one bits all stand on the left.
class Ipv4Mask {
 public:
  constexpr Ipv4Mask() = default;
  constexpr explicit Ipv4Mask(unsigned prefix_length) : length_(prefix_length) {}

  static std::optional<Ipv4Mask> from_address(Ipv4 dotted);
  static std::optional<Ipv4Mask> parse(std::string_view text);

  constexpr unsigned length() const { return length_; }
  constexpr std::uint32_t value() const { return length_ == 0 ? 0 : ~std::uint32_t{0} << (32 - length_); }
  constexpr Ipv4 network_of(Ipv4 address) const { return Ipv4(address.value() & value()); }
  constexpr Ipv4 broadcast_of(Ipv4 address) const { return Ipv4(address.value() | ~value()); }
  std::string str() const { return Ipv4(value()).str(); }

  constexpr auto operator<=>(const Ipv4Mask&) const = default;

 private:
  unsigned length_ = 32;
};

// Why `address` can never be a host's address on a TAP (RFC 6890: 0/8, 127/8, 224/4, 240/4), in words for a
// person; nothing where it can.
std::optional<std::string_view> special_purpose(Ipv4 address);

}  // namespace umlnet
