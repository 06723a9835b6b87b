// A range of addresses, of either family, as policy writes it: "10.99.0.0/16", "fd00:99::/64".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/ipv6.h"

namespace umlnet {

class IpRange {
 public:
  // ADDRESS/LENGTH, or ADDRESS alone for just that one. A one bit to the right of LENGTH ("10.0.0.1/24") is refused:
  // whoever wrote it meant something else than what it would do.
  static std::optional<IpRange> parse(std::string_view text);

  // The network that `address` lies in. `length` is at most 32 for IPv4, 128 for IPv6.
  static IpRange network_of(const std::variant<Ipv4, Ipv6>& address, unsigned length);

  static IpRange just(const std::variant<Ipv4, Ipv6>& address) {
    return network_of(address, std::holds_alternative<Ipv4>(address) ? 32 : 128);
  }

  bool contains(Ipv4 address) const;
  bool contains(const Ipv6& address) const;
  bool contains(const std::variant<Ipv4, Ipv6>& address) const;
  // Whether all of `part` lies in this range.
  bool covers(const IpRange& part) const;
  bool overlaps(const IpRange& other) const { return covers(other) || other.covers(*this); }
  // How many bits all its addresses share, and whether it is just one address.
  unsigned length() const { return length_; }
  bool is_one_address() const;
  const std::variant<Ipv4, Ipv6>& first() const { return network_; }
  bool is_ipv4() const { return std::holds_alternative<Ipv4>(network_); }
  // The first and the last address; nothing for IPv6.
  std::optional<std::pair<Ipv4, Ipv4>> ipv4_bounds() const;
  std::string str() const;
  // Without the length where it is just one address.
  std::string compact() const;

  bool operator==(const IpRange&) const = default;

 private:
  std::variant<Ipv4, Ipv6> network_;
  unsigned length_ = 0;
};

}  // namespace umlnet
