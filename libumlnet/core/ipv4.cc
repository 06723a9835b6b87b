#include "libumlnet/core/ipv4.h"

#include <arpa/inet.h>

#include <bit>

namespace umlnet {

std::optional<Ipv4> Ipv4::parse(std::string_view text) {
  std::string terminated(text);
  if (terminated.size() != text.size() || terminated.find('\0') != std::string::npos) return std::nullopt;
  in_addr parsed{};
  if (inet_pton(AF_INET, terminated.c_str(), &parsed) != 1) return std::nullopt;
  return Ipv4(ntohl(parsed.s_addr));
}

std::string Ipv4::str() const {
  const auto byte = [&](unsigned shift) { return std::to_string(value_ >> shift & 0xff); };
  return byte(24) + '.' + byte(16) + '.' + byte(8) + '.' + byte(0);
}

std::optional<Ipv4Mask> Ipv4Mask::from_address(Ipv4 dotted) {
  const auto length = static_cast<unsigned>(std::countl_one(dotted.value()));
  Ipv4Mask mask(length);
  if (mask.value() != dotted.value()) return std::nullopt;
  return mask;
}

std::optional<Ipv4Mask> Ipv4Mask::parse(std::string_view text) {
  auto dotted = Ipv4::parse(text);
  if (!dotted) return std::nullopt;
  return from_address(*dotted);
}

std::optional<std::string_view> special_purpose(Ipv4 address) {
  struct Range {
    Ipv4 network;
    Ipv4Mask mask;
    std::string_view words;
  };
  static constexpr Range kRanges[] = {
      {Ipv4(0x00000000), Ipv4Mask(8), "0.0.0.0/8 means \"this network\""},
      {Ipv4(0x7f000000), Ipv4Mask(8), "127.0.0.0/8 is the host's loopback"},
      {Ipv4(0xe0000000), Ipv4Mask(4), "224.0.0.0/4 is multicast"},
      {Ipv4(0xf0000000), Ipv4Mask(4), "240.0.0.0/4 is reserved (class E and broadcast)"},
  };
  for (const auto& range : kRanges)
    if (range.mask.network_of(address) == range.network) return range.words;
  return std::nullopt;
}

}  // namespace umlnet
