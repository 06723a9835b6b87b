#include "libumlnet/core/ipv6.h"

#include <arpa/inet.h>

#include <algorithm>

namespace umlnet {

std::optional<Ipv6> Ipv6::parse(std::string_view text) {
  std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) != 1) return std::nullopt;
  return Ipv6(bytes);
}

std::string Ipv6::str() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

std::optional<std::string_view> special_purpose(const Ipv6& address) {
  const auto& bytes = address.bytes();
  const bool starts_with_zeros = std::ranges::all_of(bytes.begin(), bytes.begin() + 10, [](auto b) { return b == 0; });
  if (address == Ipv6()) return ":: means \"no address\"";
  if (address == *Ipv6::parse("::1")) return "::1 is the host's loopback";
  if (starts_with_zeros && bytes[10] == 0xff && bytes[11] == 0xff)
    return "::ffff:0:0/96 stands for IPv4 addresses (write them as such)";
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return "fe80::/10 is link-local";
  if (bytes[0] == 0xff) return "ff00::/8 is multicast";
  return std::nullopt;
}

}  // namespace umlnet
