#include "libumlnet/core/ip_address.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>

namespace umlnet {
namespace {

unsigned bits_of(const IpAddress& address) { return std::holds_alternative<Ipv4>(address) ? 32 : 128; }

std::optional<unsigned> parse_length(std::string_view digits, unsigned most) {
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool is_canonical = digits == "0" || !digits.starts_with('0');
  if (error != std::errc{} || end != digits.data() + digits.size() || !is_canonical || length > most)
    return std::nullopt;
  return length;
}

}  // namespace

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  if (const auto v4 = Ipv4::parse(text)) return *v4;
  if (const auto v6 = Ipv6::parse(text)) return *v6;
  return std::nullopt;
}

std::string to_string(const IpAddress& address) {
  return std::visit([](const auto& of_family) { return of_family.str(); }, address);
}

IpRange link_local_ipv4() { return IpRange::network_of(Ipv4(0xa9fe'0000), 16); }

bool has_cloud_metadata(const IpRange& range) {
  // 169.254.169.0/24 of all, and 169.254.170.0/24 for containers.
  return std::ranges::any_of(std::array{0xa9fe'a900U, 0xa9fe'aa00U}, [&](std::uint32_t network) {
    return IpRange::network_of(Ipv4(network), 24).overlaps(range);
  });
}

std::optional<std::string_view> special_purpose(const IpAddress& address) {
  return std::visit([](const auto& of_family) { return special_purpose(of_family); }, address);
}

std::optional<IpInterface> IpInterface::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ip_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned bits = bits_of(*address);
  if (slash == std::string_view::npos) return IpInterface{*address, bits};
  const auto length = parse_length(text.substr(slash + 1), bits);
  if (!length) return std::nullopt;
  return IpInterface{*address, *length};
}

std::string IpInterface::str() const { return to_string(address) + "/" + std::to_string(prefix_length); }

IpRange IpInterface::network() const { return IpRange::network_of(address, prefix_length); }

}  // namespace umlnet
