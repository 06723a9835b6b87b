// The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words, of IPv4 headers,
// TCP, UDP and ICMP. Sums of parts add up to the sum of the whole, in any order of additions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/ipv6.h"

namespace umlnet {

class InternetChecksum {
 public:
  // The next bytes. Parts may be of odd size: the one behind goes on in the middle of a word. At the end, what is
  // missing of the last word counts as zero.
  InternetChecksum& add(std::span<const std::uint8_t> bytes);

  // One 16-bit field as a number, as if it stood at an even place; and the same taken out of the sum again.
  InternetChecksum& add_word(std::uint16_t word);
  InternetChecksum& subtract_word(std::uint16_t word) { return add_word(static_cast<std::uint16_t>(~word)); }

  // What TCP and UDP sum before their header. `length`: bytes of their header and payload. IPv4: RFC 9293, 3.1;
  // IPv6: RFC 8200, 8.1, where `destination` is the last one of a routing header.
  InternetChecksum& add_pseudo_header(Ipv4 source, Ipv4 destination, std::uint8_t protocol, std::uint16_t length);
  InternetChecksum& add_pseudo_header(const Ipv6& source, const Ipv6& destination, std::uint8_t next_header,
                                      std::uint32_t length);

  // The sum as it stands: 0xffff over bytes that hold their right checksum. Over a pseudo header alone, what a sender
  // leaves in the checksum field for whoever finishes it.
  std::uint16_t sum() const;
  // The value for a checksum field (which was zero, or left out, in the sum).
  std::uint16_t value() const { return static_cast<std::uint16_t>(~sum()); }

 private:
  std::uint64_t sum_ = 0;  // of words in the machine's own order: swapped bytes make a swapped sum
  bool odd_ = false;       // the next byte is the second of a word
};

}  // namespace umlnet
