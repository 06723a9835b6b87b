#include "libumlnet/core/internet_checksum.h"

#include <bit>
#include <cstring>

namespace umlnet {
namespace {

template <class Number>
Number load(const std::uint8_t* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof number);
  return number;
}

constexpr std::uint64_t folded(std::uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

constexpr std::uint16_t swapped_on_little_endian(std::uint16_t word) {
  return std::endian::native == std::endian::little ? std::byteswap(word) : word;
}

// Halves of 64-bit words add up in 64 bits without a carry to look after; four sums run side by side.
std::uint64_t sum_of(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kLanes = 4;
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t low[kLanes] = {}, high[kLanes] = {};
  for (; left >= kLanes * 8; at += kLanes * 8, left -= kLanes * 8)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const auto word = load<std::uint64_t>(at + lane * 8);
      low[lane] += word & 0xffffffff;
      high[lane] += word >> 32;
    }
  std::uint64_t sum = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) sum += folded(low[lane]) + folded(high[lane]);
  for (; left >= 2; at += 2, left -= 2) sum += load<std::uint16_t>(at);
  if (left != 0) {
    const std::uint8_t last[2] = {*at, 0};
    sum += load<std::uint16_t>(last);
  }
  return folded(sum);
}

}  // namespace

InternetChecksum& InternetChecksum::add(std::span<const std::uint8_t> bytes) {
  const auto sum = static_cast<std::uint16_t>(sum_of(bytes));
  sum_ += odd_ ? std::byteswap(sum) : sum;
  if (bytes.size() % 2 != 0) odd_ = !odd_;
  return *this;
}

InternetChecksum& InternetChecksum::add_word(std::uint16_t word) {
  sum_ += swapped_on_little_endian(word);
  return *this;
}

InternetChecksum& InternetChecksum::add_pseudo_header(Ipv4 source, Ipv4 destination, std::uint8_t protocol,
                                                      std::uint16_t length) {
  for (const std::uint32_t address : {source.value(), destination.value()})
    add_word(static_cast<std::uint16_t>(address >> 16)).add_word(static_cast<std::uint16_t>(address));
  return add_word(protocol).add_word(length);
}

InternetChecksum& InternetChecksum::add_pseudo_header(const Ipv6& source, const Ipv6& destination,
                                                      std::uint8_t next_header, std::uint32_t length) {
  for (const Ipv6* address : {&source, &destination}) sum_ += sum_of(address->bytes());
  add_word(static_cast<std::uint16_t>(length >> 16)).add_word(static_cast<std::uint16_t>(length));
  return add_word(next_header);
}

std::uint16_t InternetChecksum::sum() const {
  return swapped_on_little_endian(static_cast<std::uint16_t>(folded(sum_)));
}

}  // namespace umlnet
