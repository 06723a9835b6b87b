// Integers in network order (big endian) within bytes. The caller has checked that they lie within.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace umlnet {

constexpr std::uint16_t get_be16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

constexpr std::uint32_t get_be32(std::span<const std::uint8_t> bytes, std::size_t at) {
  return std::uint32_t{get_be16(bytes, at)} << 16 | get_be16(bytes, at + 2);
}

constexpr void put_be16(std::span<std::uint8_t> bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

constexpr void put_be32(std::span<std::uint8_t> bytes, std::size_t at, std::uint32_t value) {
  put_be16(bytes, at, static_cast<std::uint16_t>(value >> 16));
  put_be16(bytes, at + 2, static_cast<std::uint16_t>(value));
}

}  // namespace umlnet
