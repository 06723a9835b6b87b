// Where the headers of an IP packet stand in an Ethernet frame: behind 802.1Q and 802.1ad tags, IPv4 options (RFC 791)
// and IPv6 extension headers (RFC 8200, 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace umlnet {

// Protocol numbers, of IANA.
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;

struct IpHeaders {
  int version = 4;            // 4 or 6
  std::size_t network = 0;    // byte where the IP header begins
  std::size_t transport = 0;  // byte behind the IP header with its options or extension headers
  std::size_t end = 0;        // byte behind the packet, as its IP header has it; the frame may be longer by padding
  std::uint8_t protocol = 0;  // of what stands at `transport`
  bool fragment = false;      // one of several fragments: what stands at `transport` may be the middle of something
};

// Nothing where the frame is not IP, or where its headers do not fit into it or contradict themselves. The transport
// header is not looked at, and no checksum. Authentication and encapsulation headers (RFC 4302, 4303) are not passed
// over: they are the protocol.
std::optional<IpHeaders> find_ip_headers(std::span<const std::uint8_t> frame);

}  // namespace umlnet
