// Places within the headers of IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293) and UDP (RFC 768), and their sizes
// without options, in bytes.
#pragma once

#include <cstddef>

namespace umlnet {

inline constexpr std::size_t kIpv4Tos = 1;
inline constexpr std::size_t kIpv4TotalLength = 2;
inline constexpr std::size_t kIpv4Identification = 4;
inline constexpr std::size_t kIpv4FlagsAndOffset = 6;
inline constexpr std::size_t kIpv4Checksum = 10;
inline constexpr std::size_t kIpv4Addresses = 12;
inline constexpr std::size_t kIpv4Header = 20;

inline constexpr std::size_t kIpv6PayloadLength = 4;
inline constexpr std::size_t kIpv6NextHeader = 6;
inline constexpr std::size_t kIpv6Addresses = 8;
inline constexpr std::size_t kIpv6Header = 40;

inline constexpr std::size_t kTcpSequence = 4;
inline constexpr std::size_t kTcpAcknowledgment = 8;
inline constexpr std::size_t kTcpDataOffset = 12;
inline constexpr std::size_t kTcpFlags = 13;
inline constexpr std::size_t kTcpWindow = 14;
inline constexpr std::size_t kTcpChecksum = 16;
inline constexpr std::size_t kTcpUrgentPointer = 18;
inline constexpr std::size_t kTcpHeader = 20;

inline constexpr std::size_t kUdpLength = 4;
inline constexpr std::size_t kUdpChecksum = 6;
inline constexpr std::size_t kUdpHeader = 8;

// Of the byte at kTcpFlags.
inline constexpr unsigned kTcpFin = 0x01, kTcpPsh = 0x08, kTcpAck = 0x10, kTcpEce = 0x40, kTcpCwr = 0x80;

}  // namespace umlnet
