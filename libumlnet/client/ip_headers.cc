#include "libumlnet/client/ip_headers.h"

#include "libumlnet/client/header_layout.h"
#include "libumlnet/core/ethernet.h"
#include "libumlnet/core/network_order.h"

namespace umlnet {
namespace {

// IPv6 extension headers, by the Next Header number that announces them.
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kDestinationOptions = 60;

std::optional<IpHeaders> find_ipv4(std::span<const std::uint8_t> frame, std::size_t network) {
  const auto packet = frame.subspan(network);
  if (packet.size() < kIpv4Header || packet[0] >> 4 != 4) return std::nullopt;
  const std::size_t header = std::size_t{packet[0] & 0xFU} * 4;
  const std::size_t total = get_be16(packet, 2);
  if (header < kIpv4Header || total < header || total > packet.size()) return std::nullopt;
  return IpHeaders{.version = 4,
                   .network = network,
                   .transport = network + header,
                   .end = network + total,
                   .protocol = packet[9],
                   .fragment = (get_be16(packet, 6) & 0x3fff) != 0};  // More Fragments, or an offset
}

std::optional<IpHeaders> find_ipv6(std::span<const std::uint8_t> frame, std::size_t network) {
  auto packet = frame.subspan(network);
  if (packet.size() < kIpv6Header || packet[0] >> 4 != 6) return std::nullopt;
  const std::size_t payload = get_be16(packet, 4);
  if (payload > packet.size() - kIpv6Header) return std::nullopt;
  packet = packet.first(kIpv6Header + payload);
  IpHeaders headers{.version = 6, .network = network, .end = network + packet.size(), .protocol = packet[6]};
  std::size_t at = kIpv6Header;
  for (;;) {
    std::size_t size = 8;
    switch (headers.protocol) {
      case kHopByHop:
      case kRouting:
      case kDestinationOptions:
        if (packet.size() - at < size) return std::nullopt;
        size += std::size_t{packet[at + 1]} * 8;
        break;
      case kFragment:
        if (packet.size() - at < size) return std::nullopt;
        // An atomic fragment (RFC 6946), of offset 0 with none to follow, is a whole packet.
        if ((get_be16(packet, at + 2) & 0xfff9) != 0) headers.fragment = true;
        break;
      default: headers.transport = network + at; return headers;
    }
    if (packet.size() - at < size) return std::nullopt;
    headers.protocol = packet[at];
    at += size;
    if (headers.fragment) {
      headers.transport = network + at;
      return headers;
    }
  }
}

}  // namespace

std::optional<IpHeaders> find_ip_headers(std::span<const std::uint8_t> frame) {
  for (std::size_t at = kEthernetHeader - sizeof(EtherType); at + sizeof(EtherType) <= frame.size(); at += kVlanTag) {
    switch (static_cast<EtherType>(get_be16(frame, at))) {
      case EtherType::vlan:
      case EtherType::service_vlan: break;
      case EtherType::ipv4: return find_ipv4(frame, at + sizeof(EtherType));
      case EtherType::ipv6: return find_ipv6(frame, at + sizeof(EtherType));
      default: return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace umlnet
