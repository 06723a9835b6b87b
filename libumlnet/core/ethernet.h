// Ethernet frames as they stand in memory: without preamble and frame check sequence (IEEE 802.3, 802.1Q).
#pragma once

#include <cstddef>
#include <cstdint>

namespace umlnet {

inline constexpr std::size_t kEthernetHeader = 14;  // bytes: two MAC addresses and the EtherType
inline constexpr std::size_t kVlanTag = 4;          // bytes, between the addresses and the EtherType

enum class EtherType : std::uint16_t {
  ipv4 = 0x0800,
  arp = 0x0806,
  vlan = 0x8100,  // 802.1Q, one tag or the inner one
  ipv6 = 0x86dd,
  service_vlan = 0x88a8,  // 802.1ad ("QinQ"), the outer tag
};

}  // namespace umlnet
