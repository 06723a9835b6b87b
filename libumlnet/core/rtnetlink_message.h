// What rtnetlink messages are made of (netlink(7), rtnetlink(3)): headers, and attributes that nest. For the codecs in
// this room: rtnetlink, rtnetlink_ipv6, traffic_control.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/ipv6.h"
#include "libumlnet/core/rtnetlink.h"

namespace umlnet::rtnetlink {

// Builds one message. Attributes are padded to four bytes; their length, as the kernel wants it, is without the
// padding.
class Builder {
 public:
  template <class Body>
  Builder(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, const Body& body) {
    append(nlmsghdr{.nlmsg_len = 0,
                    .nlmsg_type = type,
                    .nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
                    .nlmsg_seq = sequence,
                    .nlmsg_pid = 0});
    append(body);
  }

  Builder& attribute(std::uint16_t type, ByteSpan payload) {
    append(rtattr{.rta_len = static_cast<std::uint16_t>(sizeof(rtattr) + payload.size()), .rta_type = type});
    bytes_.insert(bytes_.end(), payload.begin(), payload.end());
    pad();
    return *this;
  }
  Builder& attribute(std::uint16_t type, std::string_view text) {
    return attribute(type, ByteSpan(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  }
  Builder& attribute(std::uint16_t type, Ipv4 address) { return attribute(type, ByteSpan(address.bytes())); }
  Builder& attribute(std::uint16_t type, const Ipv6& address) { return attribute(type, ByteSpan(address.bytes())); }
  template <class Number>
    requires std::is_integral_v<Number>
  Builder& attribute(std::uint16_t type, Number value) {
    std::uint8_t raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    return attribute(type, ByteSpan(raw));
  }

  template <class Inside>
  Builder& nested(std::uint16_t type, Inside inside) {
    const std::size_t start = bytes_.size();
    append(rtattr{.rta_len = 0, .rta_type = static_cast<std::uint16_t>(type | NLA_F_NESTED)});
    inside(*this);
    const auto length = static_cast<std::uint16_t>(bytes_.size() - start);
    std::memcpy(bytes_.data() + start + offsetof(rtattr, rta_len), &length, sizeof length);
    return *this;
  }

  Bytes done() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
    return std::move(bytes_);
  }

 private:
  template <class Struct>
  void append(const Struct& value) {
    static_assert(std::is_trivially_copyable_v<Struct>);
    const auto* raw = reinterpret_cast<const std::uint8_t*>(&value);
    bytes_.insert(bytes_.end(), raw, raw + sizeof value);
    pad();
  }
  void pad() { bytes_.resize(NLMSG_ALIGN(bytes_.size())); }

  Bytes bytes_;
};

template <class Struct>
std::optional<Struct> read_struct(ByteSpan bytes) {
  static_assert(std::is_trivially_copyable_v<Struct>);
  if (bytes.size() < sizeof(Struct)) return std::nullopt;
  Struct value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

inline ByteSpan behind(ByteSpan bytes, std::size_t struct_size) {
  const std::size_t offset = NLMSG_ALIGN(struct_size);
  return offset <= bytes.size() ? bytes.subspan(offset) : ByteSpan{};
}

// A text that ends at its first NUL, or with the attribute.
inline std::string text_in(ByteSpan payload) {
  const std::string_view all(reinterpret_cast<const char*>(payload.data()), payload.size());
  return std::string(all.substr(0, all.find('\0')));
}

// The attributes of a run of bytes; of a type that comes twice, the last. They end at the first that is cut. Looked for
// one by one, and in no table: few are asked for. Of a device, which has some fifty, link_of() takes them as they come.
class Attributes {
 public:
  explicit Attributes(ByteSpan bytes) : bytes_(bytes) {}

  // Calls `each` with the type and the payload of every one, in order.
  void for_each(const auto& each) const {
    for (ByteSpan rest = bytes_; auto header = read_struct<rtattr>(rest);) {
      if (header->rta_len < sizeof(rtattr) || header->rta_len > rest.size()) break;
      each(header->rta_type & NLA_TYPE_MASK, rest.first(header->rta_len).subspan(sizeof(rtattr)));
      rest = rest.subspan(std::min<std::size_t>(RTA_ALIGN(header->rta_len), rest.size()));
    }
  }

  std::optional<ByteSpan> bytes(std::uint16_t type) const {
    std::optional<ByteSpan> found;
    for_each([&](unsigned other, ByteSpan payload) {
      if (other == type) found = payload;
    });
    return found;
  }
  template <class Number>
  std::optional<Number> number(std::uint16_t type) const {
    const auto raw = bytes(type);
    return raw ? read_struct<Number>(*raw) : std::nullopt;
  }
  std::string text(std::uint16_t type) const { return text_in(bytes(type).value_or(ByteSpan{})); }
  std::optional<Ipv4> ipv4(std::uint16_t type) const {
    const auto raw = number<std::array<std::uint8_t, 4>>(type);
    return raw ? std::optional(Ipv4::from_bytes(*raw)) : std::nullopt;
  }
  std::optional<Ipv6> ipv6(std::uint16_t type) const {
    const auto raw = number<std::array<std::uint8_t, 16>>(type);
    return raw ? std::optional(Ipv6(*raw)) : std::nullopt;
  }
  Attributes inside(std::uint16_t type) const { return Attributes(bytes(type).value_or(ByteSpan{})); }

 private:
  ByteSpan bytes_;
};

// What differs by no more than the address family.
inline Bytes dump_addresses_of(std::uint32_t sequence, std::uint8_t family) {
  ifaddrmsg body{};
  body.ifa_family = family;
  return Builder(RTM_GETADDR, NLM_F_DUMP, sequence, body).done();
}

inline Bytes dump_proxy_entries_of(std::uint32_t sequence, std::uint8_t family) {
  ndmsg body{};
  body.ndm_family = family;
  body.ndm_flags = NTF_PROXY;
  return Builder(RTM_GETNEIGH, NLM_F_DUMP, sequence, body).done();
}

}  // namespace umlnet::rtnetlink
