#include "libumlnet/core/ip_range.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <system_error>

namespace umlnet {
namespace {

bool same_prefix(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, unsigned length) {
  const unsigned whole = length / 8, rest = length % 8;
  if (!std::ranges::equal(a.first(whole), b.first(whole))) return false;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (a[whole] & mask) == (b[whole] & mask);
}

bool zero_behind(std::span<const std::uint8_t> bytes, unsigned length) {
  for (unsigned bit = length; bit < bytes.size() * 8; ++bit)
    if (bytes[bit / 8] & (0x80 >> (bit % 8))) return false;
  return true;
}

}  // namespace

std::optional<IpRange> IpRange::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = text.substr(0, slash);
  IpRange range;
  unsigned bits = 0;
  bool aligned = false;
  std::optional<unsigned> length;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool leading_zero = digits.size() > 1 && digits.front() == '0';
    if (error != std::errc{} || end != digits.data() + digits.size() || leading_zero) return std::nullopt;
    length = value;
  }
  if (auto v4 = Ipv4::parse(address)) {
    bits = 32;
    range.length_ = length.value_or(bits);
    aligned = range.length_ <= bits && zero_behind(v4->bytes(), range.length_);
    range.network_ = *v4;
  } else if (auto v6 = Ipv6::parse(address)) {
    bits = 128;
    range.length_ = length.value_or(bits);
    aligned = range.length_ <= bits && zero_behind(v6->bytes(), range.length_);
    range.network_ = *v6;
  }
  if (!aligned) return std::nullopt;
  return range;
}

IpRange IpRange::network_of(const std::variant<Ipv4, Ipv6>& address, unsigned length) {
  IpRange range;
  range.length_ = length;
  if (const auto* v4 = std::get_if<Ipv4>(&address)) {
    range.network_ = Ipv4Mask(length).network_of(*v4);
  } else {
    auto bytes = std::get<Ipv6>(address).bytes();
    for (unsigned bit = length; bit < bytes.size() * 8; ++bit)
      bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
    range.network_ = Ipv6(bytes);
  }
  return range;
}

bool IpRange::contains(Ipv4 address) const {
  const auto* network = std::get_if<Ipv4>(&network_);
  return network != nullptr && same_prefix(network->bytes(), address.bytes(), length_);
}

bool IpRange::contains(const Ipv6& address) const {
  const auto* network = std::get_if<Ipv6>(&network_);
  return network != nullptr && same_prefix(network->bytes(), address.bytes(), length_);
}

bool IpRange::contains(const std::variant<Ipv4, Ipv6>& address) const {
  return std::visit([&](const auto& of_family) { return contains(of_family); }, address);
}

bool IpRange::covers(const IpRange& part) const {
  if (part.length_ < length_) return false;
  return std::visit([&](const auto& first) { return contains(first); }, part.network_);
}

bool IpRange::is_one_address() const { return length_ == (std::holds_alternative<Ipv4>(network_) ? 32u : 128u); }

std::optional<std::pair<Ipv4, Ipv4>> IpRange::ipv4_bounds() const {
  const auto* network = std::get_if<Ipv4>(&network_);
  if (network == nullptr) return std::nullopt;
  return std::pair(*network, Ipv4Mask(length_).broadcast_of(*network));
}

std::string IpRange::compact() const {
  return is_one_address() ? std::visit([](const auto& first) { return first.str(); }, network_) : str();
}

std::string IpRange::str() const {
  return std::visit([](const auto& network) { return network.str(); }, network_) + "/" + std::to_string(length_);
}

}  // namespace umlnet
