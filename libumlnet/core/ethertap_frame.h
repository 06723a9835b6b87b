// The datagrams of an ethertap session's data socket: 2 bytes of padding, zero when sent and ignored on receipt, then
// one Ethernet frame without VLAN tag of 14 to 1,514 bytes. So a User-Mode Linux guest has it: it reads
// MTU + 2 + 16 bytes, and moves past the 2 (arch/um/drivers/ethertap_kern.c of Linux).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "libumlnet/core/ethernet.h"

namespace umlnet::ethertap {

inline constexpr std::size_t kPadding = 2;                            // bytes before each frame
inline constexpr std::size_t kShortestFrame = kEthernetHeader;        // bytes
inline constexpr std::size_t kLongestFrame = 1500 + kEthernetHeader;  // bytes
inline constexpr std::size_t kLongestDatagram = kPadding + kLongestFrame;

// For senders that gather: this, then the frame.
inline constexpr std::array<std::uint8_t, kPadding> kZeroPadding{};

enum class Fit : std::uint8_t { fits, too_short, too_long };

// Whether a frame of `size` bytes can travel.
Fit fit_of(std::size_t size);

// The frame within `datagram`, which is whole; nothing where its size does not fit.
std::optional<std::span<const std::uint8_t>> frame_of(std::span<const std::uint8_t> datagram);

}  // namespace umlnet::ethertap
