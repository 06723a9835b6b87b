// rtnetlink messages in tests of what is sent and read: byte for byte, as a little-endian machine has them.
#pragma once

#include <doctest/doctest.h>

#include <linux/netlink.h>

#include <bit>
#include <cstddef>
#include <cstring>

#include "libumlnet/core/rtnetlink.h"

namespace umlnet::test {

static_assert(std::endian::native == std::endian::little, "the bytes of the tests are of a little-endian machine");

// What `read` makes of the datagram's last message.
template <class Read>
auto read_one(const rtnetlink::Bytes& datagram, Read read) {
  decltype(read(rtnetlink::Message{})) record;
  CHECK(rtnetlink::for_each_message(datagram, [&](const rtnetlink::Message& message) {
    record = read(message);
    return true;
  }));
  return record;
}

// A request to make something has the layout of the record that tells of it.
inline rtnetlink::Bytes as_record(rtnetlink::Bytes request, std::uint16_t type) {
  std::memcpy(request.data() + offsetof(nlmsghdr, nlmsg_type), &type, sizeof type);
  return request;
}

}  // namespace umlnet::test
