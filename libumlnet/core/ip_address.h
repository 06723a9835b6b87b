// An address of either IP family, alone and as an interface bears it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libumlnet/core/ip_range.h"
#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/ipv6.h"

namespace umlnet {

using IpAddress = std::variant<Ipv4, Ipv6>;

// As Ipv4::parse and Ipv6::parse read them.
std::optional<IpAddress> parse_ip_address(std::string_view text);
std::string to_string(const IpAddress& address);

// Why the address can be neither a guest's nor the host's on a device; nothing where it can.
std::optional<std::string_view> special_purpose(const IpAddress& address);

// Link-local addresses of IPv4 (RFC 3927), and of those what clouds reach their instances' metadata, keys among it, by.
IpRange link_local_ipv4();
bool has_cloud_metadata(const IpRange& range);

// An address and the length of its network's prefix: "10.99.0.254/24". Unlike in a range, bits may be set on the right.
struct IpInterface {
  IpAddress address;
  unsigned prefix_length;

  // ADDRESS/LENGTH, or ADDRESS alone for a network of just that one.
  static std::optional<IpInterface> parse(std::string_view text);
  std::string str() const;
  // The network that the address lies in.
  IpRange network() const;

  bool operator==(const IpInterface&) const = default;
};

}  // namespace umlnet
