#include "libumlnet/core/rtnetlink.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <tuple>

#include "libumlnet/core/device_marks.h"
#include "libumlnet/core/rtnetlink_message.h"

namespace umlnet::rtnetlink {
namespace {

// IFF_TAP, as IFLA_TUN_TYPE carries it. The header that defines it stays with the code that talks to TAPs.
constexpr std::uint8_t kTunTypeTap = 2;

using MacBytes = std::array<std::uint8_t, 6>;

Ipv4Settings ipv4_settings_of_array(ByteSpan array) {
  const auto setting = [&](unsigned which) {
    const std::size_t offset = (which - 1) * sizeof(std::uint32_t);  // IPV4_DEVCONF_* count from 1
    const auto value = offset <= array.size() ? read_struct<std::uint32_t>(array.subspan(offset)) : std::nullopt;
    return value.value_or(0) != 0;
  };
  return {.forwarding = setting(IPV4_DEVCONF_FORWARDING), .proxy_arp = setting(IPV4_DEVCONF_PROXY_ARP)};
}

Ipv6Settings ipv6_settings_of_array(ByteSpan array) {
  const auto setting = [&](unsigned which) {
    const std::size_t offset = which * sizeof(std::uint32_t);  // DEVCONF_* count from 0
    const auto value = offset <= array.size() ? read_struct<std::uint32_t>(array.subspan(offset)) : std::nullopt;
    return value.value_or(0) != 0;
  };
  return {.forwarding = setting(DEVCONF_FORWARDING),
          .proxy_ndp = setting(DEVCONF_PROXY_NDP),
          .disabled = setting(DEVCONF_DISABLE_IPV6)};
}

// What the attribute IFLA_LINKINFO says: of what kind the device is, and what it is to a bridge.
void put_kind(const Attributes& info, Link& link) {
  link.kind = info.text(IFLA_INFO_KIND);
  if (info.text(IFLA_INFO_SLAVE_KIND) == "bridge")
    link.isolated = info.inside(IFLA_INFO_SLAVE_DATA).number<std::uint8_t>(IFLA_BRPORT_ISOLATED).value_or(0) != 0;
  if (link.kind != "tun") return;
  const Attributes tun = info.inside(IFLA_INFO_DATA);
  link.tap = tun.number<std::uint8_t>(IFLA_TUN_TYPE) == kTunTypeTap;
  link.persistent = tun.number<std::uint8_t>(IFLA_TUN_PERSIST).value_or(0) != 0;
  link.tun_owner = tun.number<std::uint32_t>(IFLA_TUN_OWNER);
  // Counted by the kernel for devices of several queues only. Otherwise there is one, as long as somebody holds it.
  link.queues = tun.number<std::uint32_t>(IFLA_TUN_NUM_QUEUES).value_or(link.carrier ? 1 : 0) +
                tun.number<std::uint32_t>(IFLA_TUN_NUM_DISABLED_QUEUES).value_or(0);
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

Bytes route_message(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, int ifindex,
                    const IpRange& network, const std::optional<IpAddress>& via) {
  const bool is_v4 = std::holds_alternative<Ipv4>(network.first());
  rtmsg body{};
  body.rtm_family = is_v4 ? AF_INET : AF_INET6;
  body.rtm_dst_len = static_cast<std::uint8_t>(network.length());
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = kProtocol;
  body.rtm_scope = is_v4 && !via ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  if (via) body.rtm_flags = RTNH_F_ONLINK;
  Builder message(type, static_cast<std::uint16_t>(NLM_F_ACK | flags), sequence, body);
  const auto add = [&](std::uint16_t kind, const IpAddress& address) {
    std::visit([&](const auto& of_family) { message.attribute(kind, of_family); }, address);
  };
  add(RTA_DST, network.first());
  if (via) add(RTA_GATEWAY, *via);
  return message.attribute(RTA_OIF, std::uint32_t(ifindex)).done();
}

Bytes get_settings_of(std::uint32_t sequence, std::uint8_t family, int which) {
  netconfmsg body{};
  body.ncm_family = family;
  return Builder(RTM_GETNETCONF, 0, sequence, body).attribute(NETCONFA_IFINDEX, std::int32_t{which}).done();
}

ndmsg proxy_body(int ifindex) {
  ndmsg body{};
  body.ndm_family = AF_INET;
  body.ndm_ifindex = ifindex;
  body.ndm_flags = NTF_PROXY;
  body.ndm_state = NUD_PERMANENT;
  return body;
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
Bytes dump_proxy_entries(std::uint32_t sequence) { return dump_proxy_entries_of(sequence, AF_INET); }

Bytes dump_all_addresses(std::uint32_t sequence) { return dump_addresses_of(sequence, AF_UNSPEC); }
Bytes dump_all_proxy_entries(std::uint32_t sequence) { return dump_proxy_entries_of(sequence, AF_UNSPEC); }

Bytes get_link(std::uint32_t sequence, std::string_view name) {
  return Builder(RTM_GETLINK, 0, sequence, ifinfomsg{}).attribute(IFLA_IFNAME, std::string(name) + '\0').done();
}

Bytes get_ipv4_settings(std::uint32_t sequence, int which) { return get_settings_of(sequence, AF_INET, which); }
Bytes get_ipv6_settings(std::uint32_t sequence, int which) { return get_settings_of(sequence, AF_INET6, which); }

Bytes set_link_up(std::uint32_t sequence, int ifindex) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  return Builder(RTM_SETLINK, NLM_F_ACK, sequence, body).done();
}

Bytes set_link_alias(std::uint32_t sequence, int ifindex, std::string_view alias, std::uint32_t group) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  Builder builder(RTM_SETLINK, NLM_F_ACK, sequence, body);
  builder.attribute(IFLA_IFALIAS, alias);
  if (group != 0) builder.attribute(IFLA_GROUP, group);
  return builder.done();
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

Bytes set_port_isolation(std::uint32_t sequence, int ifindex, bool on) {
  ifinfomsg body{};
  body.ifi_family = AF_BRIDGE;
  body.ifi_index = ifindex;
  return Builder(RTM_SETLINK, NLM_F_ACK, sequence, body)
      .nested(IFLA_PROTINFO, [&](Builder& port) { port.attribute(IFLA_BRPORT_ISOLATED, std::uint8_t{on}); })
      .done();
}

Bytes move_link(std::uint32_t sequence, int ifindex, int netns_fd, std::string_view new_name) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  Builder builder(RTM_SETLINK, NLM_F_ACK, sequence, body);
  builder.attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns_fd));
  if (!new_name.empty()) builder.attribute(IFLA_IFNAME, std::string(new_name) + '\0');
  return builder.done();
}

Bytes delete_link(std::uint32_t sequence, int ifindex) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  return Builder(RTM_DELLINK, NLM_F_ACK, sequence, body).done();
}

Bytes delete_link_group(std::uint32_t sequence, std::uint32_t group) {
  return Builder(RTM_DELLINK, NLM_F_ACK, sequence, ifinfomsg{}).attribute(IFLA_GROUP, group).done();
}

Bytes set_forwarding(std::uint32_t sequence, int ifindex, bool on) {
  return set_ipv4_setting(sequence, ifindex, IPV4_DEVCONF_FORWARDING, on);
}

Bytes set_proxy_arp(std::uint32_t sequence, int ifindex, bool on) {
  return set_ipv4_setting(sequence, ifindex, IPV4_DEVCONF_PROXY_ARP, on);
}

Bytes add_address(std::uint32_t sequence, int ifindex, Ipv4 address, Ipv4Mask mask) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = static_cast<std::uint8_t>(mask.length());
  body.ifa_scope = RT_SCOPE_UNIVERSE;
  body.ifa_index = static_cast<unsigned>(ifindex);
  return Builder(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence, body)
      .attribute(IFA_LOCAL, address)
      .attribute(IFA_ADDRESS, address)
      .done();
}

Bytes add_route(std::uint32_t sequence, int ifindex, const IpRange& network, const std::optional<IpAddress>& via) {
  return route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sequence, ifindex, network, via);
}

Bytes delete_route(std::uint32_t sequence, int ifindex, const IpRange& network, const std::optional<IpAddress>& via) {
  return route_message(RTM_DELROUTE, 0, sequence, ifindex, network, via);
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
  if ((message.type != NLMSG_ERROR && message.type != NLMSG_DONE) || !error) return std::nullopt;
  return -*error;
}

bool is_named(const Link& link, std::string_view name) {
  return link.name == name ||
         (!is_mark(name) && std::ranges::find(link.alternative_names, name) != link.alternative_names.end());
}

std::optional<Link> link_of(const Message& message) {
  const auto body = read_struct<ifinfomsg>(message.payload);
  if (message.type != RTM_NEWLINK || !body) return std::nullopt;
  Link link;
  link.ifindex = body->ifi_index;
  link.up = (body->ifi_flags & IFF_UP) != 0;
  link.loopback = (body->ifi_flags & IFF_LOOPBACK) != 0;
  ByteSpan info, families, statistics, properties;
  // In one pass: there are hosts with thousands of devices, and each has some fifty attributes.
  Attributes(behind(message.payload, sizeof *body)).for_each([&](unsigned type, ByteSpan payload) {
    switch (type) {
      case IFLA_IFNAME: link.name = text_in(payload); break;
      case IFLA_IFALIAS: link.alias = text_in(payload); break;
      case IFLA_CARRIER: link.carrier = read_struct<std::uint8_t>(payload).value_or(0) != 0; break;
      case IFLA_MASTER: link.master = read_struct<std::int32_t>(payload).value_or(0); break;
      case IFLA_GROUP: link.group = read_struct<std::uint32_t>(payload).value_or(0); break;
      case IFLA_MTU: link.mtu = read_struct<std::uint32_t>(payload).value_or(0); break;
      case IFLA_ADDRESS:
        if (payload.size() == std::tuple_size_v<MacBytes>) link.mac = MacAddress(*read_struct<MacBytes>(payload));
        break;
      case IFLA_LINKINFO: info = payload; break;
      case IFLA_AF_SPEC: families = payload; break;
      case IFLA_PROP_LIST: properties = payload; break;
      case IFLA_STATS64: statistics = payload; break;
      default: break;
    }
  });
  put_kind(Attributes(info), link);
  Attributes(properties).for_each([&](unsigned type, ByteSpan payload) {
    if (type == IFLA_ALT_IFNAME) link.alternative_names.push_back(text_in(payload));
  });
  if (const auto conf = Attributes(families).inside(AF_INET).bytes(IFLA_INET_CONF))
    link.ipv4 = ipv4_settings_of_array(*conf);
  if (const auto conf = Attributes(families).inside(AF_INET6).bytes(IFLA_INET6_CONF))
    link.ipv6 = ipv6_settings_of_array(*conf);
  if (const auto counters = read_struct<rtnl_link_stats64>(statistics)) {
    link.rx_packets = counters->rx_packets;
    link.rx_bytes = counters->rx_bytes;
    link.tx_packets = counters->tx_packets;
    link.tx_bytes = counters->tx_bytes;
    link.tx_dropped = counters->tx_dropped;
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

std::optional<Ipv4Settings> ipv4_settings_of(const Message& message) {
  const auto body = read_struct<netconfmsg>(message.payload);
  if (message.type != RTM_NEWNETCONF || !body || body->ncm_family != AF_INET) return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  return Ipv4Settings{.forwarding = top.number<std::int32_t>(NETCONFA_FORWARDING).value_or(0) != 0,
                      .proxy_arp = top.number<std::int32_t>(NETCONFA_PROXY_NEIGH).value_or(0) != 0};
}

std::optional<Ipv6Settings> ipv6_settings_of(const Message& message) {
  const auto body = read_struct<netconfmsg>(message.payload);
  if (message.type != RTM_NEWNETCONF || !body || body->ncm_family != AF_INET6) return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  return Ipv6Settings{.forwarding = top.number<std::int32_t>(NETCONFA_FORWARDING).value_or(0) != 0,
                      .proxy_ndp = top.number<std::int32_t>(NETCONFA_PROXY_NEIGH).value_or(0) != 0};
}

}  // namespace umlnet::rtnetlink
