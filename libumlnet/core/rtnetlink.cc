#include "libumlnet/core/rtnetlink.h"

#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <map>
#include <tuple>
#include <type_traits>

namespace umlnet::rtnetlink {
namespace {

// IFF_TAP, as IFLA_TUN_TYPE carries it. The header that defines it stays with the code that talks to TAPs.
constexpr std::uint8_t kTunTypeTap = 2;

using MacBytes = std::array<std::uint8_t, 6>;

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

ByteSpan behind(ByteSpan bytes, std::size_t struct_size) {
  const std::size_t offset = NLMSG_ALIGN(struct_size);
  return offset <= bytes.size() ? bytes.subspan(offset) : ByteSpan{};
}

// The attributes of a run of bytes by type; a type that comes twice keeps the last. Ends at the first that is cut.
std::map<std::uint16_t, ByteSpan> attributes(ByteSpan bytes) {
  std::map<std::uint16_t, ByteSpan> found;
  while (auto header = read_struct<rtattr>(bytes)) {
    if (header->rta_len < sizeof(rtattr) || header->rta_len > bytes.size()) break;
    found[header->rta_type & NLA_TYPE_MASK] = bytes.first(header->rta_len).subspan(sizeof(rtattr));
    bytes = bytes.subspan(std::min<std::size_t>(RTA_ALIGN(header->rta_len), bytes.size()));
  }
  return found;
}

class Attributes {
 public:
  explicit Attributes(ByteSpan bytes) : by_type_(attributes(bytes)) {}

  std::optional<ByteSpan> bytes(std::uint16_t type) const {
    const auto it = by_type_.find(type);
    return it != by_type_.end() ? std::optional(it->second) : std::nullopt;
  }
  template <class Number>
  std::optional<Number> number(std::uint16_t type) const {
    const auto raw = bytes(type);
    return raw ? read_struct<Number>(*raw) : std::nullopt;
  }
  std::string text(std::uint16_t type) const {
    const auto raw = bytes(type).value_or(ByteSpan{});
    const std::string_view all(reinterpret_cast<const char*>(raw.data()), raw.size());
    return std::string(all.substr(0, all.find('\0')));
  }
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
  std::map<std::uint16_t, ByteSpan> by_type_;
};

Ipv4Settings settings_of_array(ByteSpan array) {
  const auto setting = [&](unsigned which) {
    const std::size_t offset = (which - 1) * sizeof(std::uint32_t);  // IPV4_DEVCONF_* count from 1
    const auto value = offset <= array.size() ? read_struct<std::uint32_t>(array.subspan(offset)) : std::nullopt;
    return value.value_or(0) != 0;
  };
  return {.forwarding = setting(IPV4_DEVCONF_FORWARDING), .proxy_arp = setting(IPV4_DEVCONF_PROXY_ARP)};
}

Bytes set_ipv4_setting(std::uint32_t sequence, int ifindex, std::uint16_t which, bool on) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  return Builder(RTM_SETLINK, NLM_F_ACK, sequence, body)
      .nested(IFLA_AF_SPEC,
              [&](Builder& families) {
                families.nested(AF_INET, [&](Builder& inet) {
                  inet.nested(IFLA_INET_CONF, [&](Builder& conf) { conf.attribute(which, std::uint32_t{on}); });
                });
              })
      .done();
}

Bytes host_route(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, int ifindex, Ipv4 address) {
  rtmsg body{};
  body.rtm_family = AF_INET;
  body.rtm_dst_len = 32;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = kProtocol;
  body.rtm_scope = RT_SCOPE_LINK;
  body.rtm_type = RTN_UNICAST;
  return Builder(type, static_cast<std::uint16_t>(NLM_F_ACK | flags), sequence, body)
      .attribute(RTA_DST, address)
      .attribute(RTA_OIF, std::uint32_t(ifindex))
      .done();
}

ndmsg proxy_body(int ifindex) {
  ndmsg body{};
  body.ndm_family = AF_INET;
  body.ndm_ifindex = ifindex;
  body.ndm_flags = NTF_PROXY;
  body.ndm_state = NUD_PERMANENT;
  return body;
}

Bytes dump_addresses_of(std::uint32_t sequence, std::uint8_t family) {
  ifaddrmsg body{};
  body.ifa_family = family;
  return Builder(RTM_GETADDR, NLM_F_DUMP, sequence, body).done();
}

Bytes dump_routes_of(std::uint32_t sequence, std::uint8_t family) {
  rtmsg body{};
  body.rtm_family = family;
  return Builder(RTM_GETROUTE, NLM_F_DUMP, sequence, body).done();
}

Bytes dump_proxy_entries_of(std::uint32_t sequence, std::uint8_t family) {
  ndmsg body{};
  body.ndm_family = family;
  body.ndm_flags = NTF_PROXY;
  return Builder(RTM_GETNEIGH, NLM_F_DUMP, sequence, body).done();
}

// Unicast, main table.
bool is_ordinary(const rtmsg& body, const Attributes& attributes) {
  return attributes.number<std::uint32_t>(RTA_TABLE).value_or(body.rtm_table) == RT_TABLE_MAIN &&
         body.rtm_type == RTN_UNICAST;
}

}  // namespace

Bytes dump_links(std::uint32_t sequence) {
  return Builder(RTM_GETLINK, NLM_F_DUMP, sequence, ifinfomsg{})
      .attribute(IFLA_EXT_MASK, std::uint32_t{RTEXT_FILTER_SKIP_STATS})
      .done();
}

Bytes dump_links_with_statistics(std::uint32_t sequence) {
  return Builder(RTM_GETLINK, NLM_F_DUMP, sequence, ifinfomsg{}).done();
}

Bytes dump_addresses(std::uint32_t sequence) { return dump_addresses_of(sequence, AF_INET); }
Bytes dump_routes(std::uint32_t sequence) { return dump_routes_of(sequence, AF_INET); }
Bytes dump_proxy_entries(std::uint32_t sequence) { return dump_proxy_entries_of(sequence, AF_INET); }
Bytes dump_ipv6_addresses(std::uint32_t sequence) { return dump_addresses_of(sequence, AF_INET6); }
Bytes dump_ipv6_routes(std::uint32_t sequence) { return dump_routes_of(sequence, AF_INET6); }
Bytes dump_ipv6_proxy_entries(std::uint32_t sequence) { return dump_proxy_entries_of(sequence, AF_INET6); }

Bytes dump_all_addresses(std::uint32_t sequence) { return dump_addresses_of(sequence, AF_UNSPEC); }
Bytes dump_all_routes(std::uint32_t sequence) { return dump_routes_of(sequence, AF_UNSPEC); }
Bytes dump_all_proxy_entries(std::uint32_t sequence) { return dump_proxy_entries_of(sequence, AF_UNSPEC); }

Bytes get_link(std::uint32_t sequence, std::string_view name) {
  return Builder(RTM_GETLINK, 0, sequence, ifinfomsg{}).attribute(IFLA_IFNAME, std::string(name) + '\0').done();
}

Bytes get_ipv4_settings(std::uint32_t sequence, int which) {
  netconfmsg body{};
  body.ncm_family = AF_INET;
  return Builder(RTM_GETNETCONF, 0, sequence, body).attribute(NETCONFA_IFINDEX, std::int32_t{which}).done();
}

Bytes set_link_up(std::uint32_t sequence, int ifindex) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  return Builder(RTM_SETLINK, NLM_F_ACK, sequence, body).done();
}

Bytes set_link_alias(std::uint32_t sequence, int ifindex, std::string_view alias) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  return Builder(RTM_SETLINK, NLM_F_ACK, sequence, body).attribute(IFLA_IFALIAS, alias).done();
}

Bytes set_link_mtu(std::uint32_t sequence, int ifindex, unsigned mtu) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  return Builder(RTM_SETLINK, NLM_F_ACK, sequence, body).attribute(IFLA_MTU, std::uint32_t{mtu}).done();
}

Bytes set_link_mac(std::uint32_t sequence, int ifindex, const MacAddress& mac) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  return Builder(RTM_SETLINK, NLM_F_ACK, sequence, body).attribute(IFLA_ADDRESS, ByteSpan(mac.bytes())).done();
}

Bytes set_link_master(std::uint32_t sequence, int ifindex, int master) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  return Builder(RTM_SETLINK, NLM_F_ACK, sequence, body).attribute(IFLA_MASTER, std::int32_t{master}).done();
}

Bytes delete_link(std::uint32_t sequence, int ifindex) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  return Builder(RTM_DELLINK, NLM_F_ACK, sequence, body).done();
}

Bytes set_forwarding(std::uint32_t sequence, int ifindex, bool on) {
  return set_ipv4_setting(sequence, ifindex, IPV4_DEVCONF_FORWARDING, on);
}

Bytes set_proxy_arp(std::uint32_t sequence, int ifindex, bool on) {
  return set_ipv4_setting(sequence, ifindex, IPV4_DEVCONF_PROXY_ARP, on);
}

Bytes add_address(std::uint32_t sequence, int ifindex, Ipv4 address) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = 32;
  body.ifa_scope = RT_SCOPE_UNIVERSE;
  body.ifa_index = static_cast<unsigned>(ifindex);
  return Builder(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence, body)
      .attribute(IFA_LOCAL, address)
      .attribute(IFA_ADDRESS, address)
      .done();
}

Bytes add_host_route(std::uint32_t sequence, int ifindex, Ipv4 address) {
  return host_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sequence, ifindex, address);
}

Bytes delete_host_route(std::uint32_t sequence, int ifindex, Ipv4 address) {
  return host_route(RTM_DELROUTE, 0, sequence, ifindex, address);
}

Bytes add_proxy_entry(std::uint32_t sequence, int ifindex, Ipv4 address, std::uint8_t protocol) {
  return Builder(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sequence, proxy_body(ifindex))
      .attribute(NDA_DST, address)
      .attribute(NDA_PROTOCOL, protocol)
      .done();
}

Bytes delete_proxy_entry(std::uint32_t sequence, int ifindex, Ipv4 address) {
  return Builder(RTM_DELNEIGH, NLM_F_ACK, sequence, proxy_body(ifindex)).attribute(NDA_DST, address).done();
}

bool for_each_message(ByteSpan datagram, const std::function<bool(const Message&)>& each) {
  while (!datagram.empty()) {
    const auto header = read_struct<nlmsghdr>(datagram);
    if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) return false;
    const Message message{.type = header->nlmsg_type,
                          .flags = header->nlmsg_flags,
                          .sequence = header->nlmsg_seq,
                          .payload = behind(datagram.first(header->nlmsg_len), sizeof(nlmsghdr))};
    if (!each(message)) return true;
    datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(header->nlmsg_len), datagram.size()));
  }
  return true;
}

std::optional<int> error_of(const Message& message) {
  const auto error = read_struct<int>(message.payload);
  if (message.type != NLMSG_ERROR || !error) return std::nullopt;
  return -*error;
}

std::optional<Link> link_of(const Message& message) {
  const auto body = read_struct<ifinfomsg>(message.payload);
  if (message.type != RTM_NEWLINK || !body) return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  const Attributes info = top.inside(IFLA_LINKINFO);
  Link link;
  link.ifindex = body->ifi_index;
  link.name = top.text(IFLA_IFNAME);
  link.up = (body->ifi_flags & IFF_UP) != 0;
  link.loopback = (body->ifi_flags & IFF_LOOPBACK) != 0;
  link.carrier = top.number<std::uint8_t>(IFLA_CARRIER).value_or(0) != 0;
  link.alias = top.text(IFLA_IFALIAS);
  link.kind = info.text(IFLA_INFO_KIND);
  link.master = top.number<std::int32_t>(IFLA_MASTER).value_or(0);
  link.mtu = top.number<std::uint32_t>(IFLA_MTU).value_or(0);
  const auto mac = top.bytes(IFLA_ADDRESS);
  if (mac && mac->size() == std::tuple_size_v<MacBytes>) link.mac = MacAddress(*read_struct<MacBytes>(*mac));
  if (link.kind == "tun") {
    const Attributes tun = info.inside(IFLA_INFO_DATA);
    link.tap = tun.number<std::uint8_t>(IFLA_TUN_TYPE) == kTunTypeTap;
    link.persistent = tun.number<std::uint8_t>(IFLA_TUN_PERSIST).value_or(0) != 0;
    link.tun_owner = tun.number<std::uint32_t>(IFLA_TUN_OWNER);
    // Counted by the kernel for devices of several queues only. Otherwise there is one, as long as somebody holds it.
    link.queues = tun.number<std::uint32_t>(IFLA_TUN_NUM_QUEUES).value_or(link.carrier ? 1 : 0) +
                  tun.number<std::uint32_t>(IFLA_TUN_NUM_DISABLED_QUEUES).value_or(0);
  }
  const auto conf = top.inside(IFLA_AF_SPEC).inside(AF_INET).bytes(IFLA_INET_CONF);
  if (conf) link.ipv4 = settings_of_array(*conf);
  if (const auto bytes = top.bytes(IFLA_STATS64))
    if (const auto statistics = read_struct<rtnl_link_stats64>(*bytes)) {
      link.rx_packets = statistics->rx_packets;
      link.rx_bytes = statistics->rx_bytes;
      link.tx_packets = statistics->tx_packets;
      link.tx_bytes = statistics->tx_bytes;
      link.tx_dropped = statistics->tx_dropped;
    }
  return link;
}

std::optional<Address> address_of(const Message& message) {
  const auto body = read_struct<ifaddrmsg>(message.payload);
  if (message.type != RTM_NEWADDR || !body || body->ifa_family != AF_INET || body->ifa_prefixlen > 32)
    return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  const auto local = top.ipv4(IFA_LOCAL);
  if (!local) return std::nullopt;
  return Address{.ifindex = static_cast<int>(body->ifa_index),
                 .address = *local,
                 .mask = Ipv4Mask(body->ifa_prefixlen),
                 .broadcast = top.ipv4(IFA_BROADCAST)};
}

std::optional<Route> route_of(const Message& message) {
  const auto body = read_struct<rtmsg>(message.payload);
  if (message.type != RTM_NEWROUTE || !body || body->rtm_family != AF_INET || body->rtm_dst_len > 32)
    return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  if (!is_ordinary(*body, top)) return std::nullopt;
  return Route{.destination = top.ipv4(RTA_DST).value_or(Ipv4()),
               .mask = Ipv4Mask(body->rtm_dst_len),
               .ifindex = top.number<std::int32_t>(RTA_OIF).value_or(0),
               .gateway = top.ipv4(RTA_GATEWAY),
               .protocol = body->rtm_protocol};
}

std::optional<ProxyEntry> proxy_entry_of(const Message& message) {
  const auto body = read_struct<ndmsg>(message.payload);
  if (message.type != RTM_NEWNEIGH || !body || body->ndm_family != AF_INET || !(body->ndm_flags & NTF_PROXY))
    return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  const auto address = top.ipv4(NDA_DST);
  if (!address) return std::nullopt;
  return ProxyEntry{.ifindex = body->ndm_ifindex,
                    .address = *address,
                    .protocol = top.number<std::uint8_t>(NDA_PROTOCOL).value_or(0)};
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

std::optional<Ipv6Route> ipv6_route_of(const Message& message) {
  const auto body = read_struct<rtmsg>(message.payload);
  if (message.type != RTM_NEWROUTE || !body || body->rtm_family != AF_INET6 || body->rtm_dst_len > 128)
    return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  if (!is_ordinary(*body, top)) return std::nullopt;
  return Ipv6Route{.destination = top.ipv6(RTA_DST).value_or(Ipv6()),
                   .prefix_length = body->rtm_dst_len,
                   .ifindex = top.number<std::int32_t>(RTA_OIF).value_or(0),
                   .gateway = top.ipv6(RTA_GATEWAY),
                   .protocol = body->rtm_protocol};
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

std::optional<Ipv4Settings> ipv4_settings_of(const Message& message) {
  const auto body = read_struct<netconfmsg>(message.payload);
  if (message.type != RTM_NEWNETCONF || !body || body->ncm_family != AF_INET) return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  return Ipv4Settings{.forwarding = top.number<std::int32_t>(NETCONFA_FORWARDING).value_or(0) != 0,
                      .proxy_arp = top.number<std::int32_t>(NETCONFA_PROXY_NEIGH).value_or(0) != 0};
}

}  // namespace umlnet::rtnetlink
