// The hardware address of a network interface.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace umlnet {

class MacAddress {
 public:
  constexpr explicit MacAddress(std::array<std::uint8_t, 6> bytes) : bytes_(bytes) {}

  // Six hexadecimal numbers of one or two digits with colons: "fe:fd:0:0:0:1". Nothing for what cannot be an
  // interface's own address: a group address (the lowest bit of the first byte is set), or all zero.
  static std::optional<MacAddress> parse(std::string_view text);

  constexpr const std::array<std::uint8_t, 6>& bytes() const { return bytes_; }
  // With two digits a number, in lower case.
  std::string str() const;
  bool operator==(const MacAddress&) const = default;

 private:
  std::array<std::uint8_t, 6> bytes_;
};

}  // namespace umlnet
