#include "libumlnet/core/rtnetlink_ipv6.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "libumlnet/core/rtnetlink_message.h"

namespace umlnet::rtnetlink {
namespace {

constexpr unsigned kWholeAddress = 128;

ndmsg proxy_body(int ifindex) {
  ndmsg body{};
  body.ndm_family = AF_INET6;
  body.ndm_ifindex = ifindex;
  body.ndm_flags = NTF_PROXY;
  body.ndm_state = NUD_PERMANENT;
  return body;
}

}  // namespace

Bytes set_no_link_local_address(std::uint32_t sequence, int ifindex) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  return Builder(RTM_SETLINK, NLM_F_ACK, sequence, body)
      .nested(IFLA_AF_SPEC,
              [](Builder& families) {
                families.nested(AF_INET6, [](Builder& inet6) {
                  inet6.attribute(IFLA_INET6_ADDR_GEN_MODE, std::uint8_t{IN6_ADDR_GEN_MODE_NONE});
                });
              })
      .done();
}

Bytes dump_ipv6_addresses(std::uint32_t sequence) { return dump_addresses_of(sequence, AF_INET6); }
Bytes dump_ipv6_proxy_entries(std::uint32_t sequence) { return dump_proxy_entries_of(sequence, AF_INET6); }

Bytes add_ipv6_address(std::uint32_t sequence, int ifindex, const Ipv6& address, unsigned prefix_length) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET6;
  body.ifa_prefixlen = static_cast<std::uint8_t>(prefix_length);
  body.ifa_scope = RT_SCOPE_UNIVERSE;
  body.ifa_index = static_cast<unsigned>(ifindex);
  // Of a network of one the table "local" has the route already; the kernel would make a second one.
  const std::uint32_t flags = IFA_F_NODAD | (prefix_length == kWholeAddress ? IFA_F_NOPREFIXROUTE : 0);
  return Builder(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence, body)
      .attribute(IFA_LOCAL, address)
      .attribute(IFA_FLAGS, flags)
      .done();
}

Bytes add_ipv6_proxy_entry(std::uint32_t sequence, int ifindex, const Ipv6& address, std::uint8_t protocol) {
  return Builder(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sequence, proxy_body(ifindex))
      .attribute(NDA_DST, address)
      .attribute(NDA_PROTOCOL, protocol)
      .done();
}

Bytes delete_ipv6_proxy_entry(std::uint32_t sequence, int ifindex, const Ipv6& address) {
  return Builder(RTM_DELNEIGH, NLM_F_ACK, sequence, proxy_body(ifindex)).attribute(NDA_DST, address).done();
}

std::optional<Ipv6Address> ipv6_address_of(const Message& message) {
  const auto body = read_struct<ifaddrmsg>(message.payload);
  if (message.type != RTM_NEWADDR || !body || body->ifa_family != AF_INET6 || body->ifa_prefixlen > 128)
    return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  // IFA_ADDRESS is the other end's where there is one.
  const auto local = top.ipv6(IFA_LOCAL);
  const auto address = local ? local : top.ipv6(IFA_ADDRESS);
  if (!address) return std::nullopt;
  return Ipv6Address{.ifindex = static_cast<int>(body->ifa_index),
                     .address = *address,
                     .prefix_length = body->ifa_prefixlen,
                     .link_local = body->ifa_scope == RT_SCOPE_LINK};
}

std::optional<Ipv6ProxyEntry> ipv6_proxy_entry_of(const Message& message) {
  const auto body = read_struct<ndmsg>(message.payload);
  if (message.type != RTM_NEWNEIGH || !body || body->ndm_family != AF_INET6 || !(body->ndm_flags & NTF_PROXY))
    return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  const auto address = top.ipv6(NDA_DST);
  if (!address) return std::nullopt;
  return Ipv6ProxyEntry{.ifindex = body->ndm_ifindex,
                        .address = *address,
                        .protocol = top.number<std::uint8_t>(NDA_PROTOCOL).value_or(0)};
}

}  // namespace umlnet::rtnetlink
