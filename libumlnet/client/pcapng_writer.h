// Captures in the pcapng format (draft-ietf-opsawg-pcapng), as Wireshark and tcpdump read them: one section, in the
// machine's own byte order, of Ethernet interfaces (LINKTYPE_ETHERNET) with times in nanoseconds (if_tsresol 9).
//
// A capture is put_section(), put_interface() for each interface, put_packet() for each frame, and put_statistics() for
// each interface at the end. Each writes one block to the beginning of `out` and returns its size in bytes, a multiple
// of 4; or returns 0 and leaves `out` as it is where there is no room. No I/O, and no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace umlnet::pcapng {

// Bytes that put_packet() needs at most for a frame of which `captured` bytes are kept.
constexpr std::size_t packet_block_size(std::size_t captured) { return 56 + (captured + 3) / 4 * 4; }

// Of a text, no more than this goes into a block: bytes.
inline constexpr std::size_t kLongestText = 255;

// The Section Header Block: the file's beginning. `application` is what wrote it, with its version: "umlnet 0.1.0".
std::size_t put_section(std::span<std::uint8_t> out, std::string_view application);

struct Interface {
  std::string_view name;          // "tap0"; may be empty
  std::string_view description;   // may be empty
  std::uint32_t snap_length = 0;  // bytes that are kept of a frame; 0: all
};

// The Interface Description Block. Interfaces are numbered from 0 in the order in which they are put.
std::size_t put_interface(std::span<std::uint8_t> out, const Interface& interface);

enum class Direction : std::uint8_t { unknown = 0, inbound = 1, outbound = 2 };  // as seen from the interface

struct Packet {
  std::uint32_t interface = 0;
  std::uint64_t time = 0;  // nanoseconds since 1970
  Direction direction = Direction::unknown;
  std::uint64_t dropped = 0;  // frames lost on this interface between the one before and this one
  std::span<const std::uint8_t> frame;
};

// The Enhanced Packet Block, with as much of the frame as `snap_length` (0: all) lets it have, and its original length.
std::size_t put_packet(std::span<std::uint8_t> out, const Packet& packet, std::uint32_t snap_length = 0);

struct Statistics {
  std::uint32_t interface = 0;
  std::uint64_t start = 0;     // nanoseconds since 1970: the capture's beginning
  std::uint64_t end = 0;       // and its end, which is also when the statistics were taken
  std::uint64_t received = 0;  // frames that came by
  std::uint64_t dropped = 0;   // frames of these that are not in the capture
};

// The Interface Statistics Block.
std::size_t put_statistics(std::span<std::uint8_t> out, const Statistics& statistics);

}  // namespace umlnet::pcapng
