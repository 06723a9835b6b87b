#include "libumlnet/core/ipv6.h"

#include <arpa/inet.h>

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

}  // namespace umlnet
