// A guest's frames, for tests of the programs that judge them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/ipv6.h"
#include "libumlnet/core/mac_address.h"

namespace umlnet::guest_frames {

using Bytes = std::vector<std::uint8_t>;

inline const MacAddress kGuest = *MacAddress::parse("52:54:00:12:34:56");
inline const MacAddress kOther = *MacAddress::parse("52:54:00:12:34:57");

inline Bytes operator+(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}
inline Bytes of(const auto& value) {
  const auto bytes = value.bytes();
  return Bytes(bytes.begin(), bytes.end());
}
inline Bytes half(unsigned value) { return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)}; }
inline Bytes zeros(std::size_t count) { return Bytes(count); }

inline Bytes ethernet(unsigned type, const Bytes& payload, const MacAddress& source = kGuest) {
  return Bytes(6, 0xff) + of(source) + half(type) + payload;
}

struct V4 {
  std::string source = "10.50.0.7";
  std::string destination = "10.50.0.1";
  std::uint8_t protocol = 17;
  unsigned fragment = 0;
  Bytes payload = Bytes(8);
  std::uint8_t lead = 0x45;
};
inline Bytes ipv4(const V4& v) {
  return ethernet(0x0800, Bytes{v.lead, 0} + half(20 + unsigned(v.payload.size())) + half(1) + half(v.fragment) +
                              Bytes{64, v.protocol, 0, 0} + of(*Ipv4::parse(v.source)) +
                              of(*Ipv4::parse(v.destination)) + v.payload);
}
inline V4 dhcp() {
  return {.source = "0.0.0.0", .destination = "255.255.255.255", .payload = half(68) + half(67) + zeros(244)};
}

struct Arp {
  unsigned operation = 1;
  std::string sender = "10.50.0.7";
  MacAddress sender_mac = kGuest;
  Bytes lead = {0, 1, 8, 0, 6, 4};
};
inline Bytes arp(const Arp& v) {
  return ethernet(0x0806, v.lead + half(v.operation) + of(v.sender_mac) + of(*Ipv4::parse(v.sender)) + zeros(6) +
                              of(*Ipv4::parse("10.50.0.1")));
}

inline Bytes ipv6(const Ipv6& source, std::uint8_t next, const Bytes& payload, std::uint8_t lead = 0x60) {
  return ethernet(0x86dd, Bytes{lead, 0, 0, 0} + half(unsigned(payload.size())) + Bytes{next, 255} + of(source) +
                              of(*Ipv6::parse("ff02::1")) + payload);
}
inline constexpr std::uint8_t kIcmp = 1, kIcmpv6 = 58, kUdp = 17, kHopByHop = 0, kRouting = 43, kFragment = 44,
                              kAh = 51, kDestination = 60;
inline Bytes solicitation(const Ipv6& target) { return Bytes{135, 0, 0, 0, 0, 0, 0, 0} + of(target); }
inline Bytes advertisement(const Ipv6& target) { return Bytes{136, 0, 0, 0, 0x60, 0, 0, 0} + of(target); }
inline Bytes router(std::uint8_t type) { return Bytes{type, 0, 0, 0, 0, 0, 0, 0}; }
inline Bytes link_layer(std::uint8_t type, const MacAddress& mac = kGuest) { return Bytes{type, 1} + of(mac); }
inline const Bytes kNonce = {14, 1, 1, 2, 3, 4, 5, 6};
inline Bytes options_header(std::uint8_t next, std::uint8_t length = 0) {
  return Bytes{next, length, 5, 2, 0, 0, 1, 0} + zeros(8U * length);  // router alert, as listener reports have it
}
inline Bytes fragment_header(std::uint8_t next, unsigned offset, bool more) {
  return Bytes{next, 0} + half(offset << 3 | (more ? 1 : 0)) + zeros(4);
}

}  // namespace umlnet::guest_frames
