#include "uml_net/priv/message_grammar.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <initializer_list>
#include <string>

#include "libumlnet/core/device_marks.h"
#include "libumlnet/core/device_tag.h"
#include "libumlnet/core/rtnetlink_message.h"

namespace umlnet::priv {
namespace {

using rtnetlink::ByteSpan;
using rtnetlink::Link;
using rtnetlink::read_struct;

constexpr std::uint32_t kSessionGroups = 0x80000000U;  // session_group()

// What is after a message's fixed part; nothing where that is not whole.
template <class Body>
bool split(ByteSpan bytes, Body& body, ByteSpan& attributes) {
  const auto read = read_struct<Body>(bytes);
  if (!read) return false;
  body = *read;
  attributes = rtnetlink::behind(bytes, sizeof body);
  return true;
}

// Calls `each` with every attribute. False where one is none, where bytes are left over, and where `each` says so: what
// the kernel might read otherwise than this does is no message of this program's.
bool all_of(ByteSpan bytes, const auto& each) {
  while (!bytes.empty()) {
    const auto header = read_struct<rtattr>(bytes);
    if (!header || header->rta_len < sizeof(rtattr) || header->rta_len > bytes.size()) return false;
    if (!each(header->rta_type & NLA_TYPE_MASK, bytes.first(header->rta_len).subspan(sizeof(rtattr)))) return false;
    bytes = bytes.subspan(std::min<std::size_t>(RTA_ALIGN(header->rta_len), bytes.size()));
  }
  return true;
}

bool has_only(ByteSpan bytes, std::initializer_list<int> types) {
  return all_of(bytes, [&](int type, ByteSpan) { return std::ranges::find(types, type) != types.end(); });
}

// The value of an attribute of just that size; one that no attribute has, else.
std::int64_t number_in(ByteSpan payload) {
  if (const auto value = read_struct<std::uint32_t>(payload); value && payload.size() == sizeof *value) return *value;
  return payload.size() == 1 ? payload[0] : -1;
}

std::string_view text_in(ByteSpan payload) { return {reinterpret_cast<const char*>(payload.data()), payload.size()}; }

}  // namespace

void MessageGrammar::look_at(std::span<const Link> links) {
  devices_.clear();
  std::vector<std::string> granted_before;
  for (const Link& link : links) {
    const bool is_own = link.tap && DeviceTag::parse(link.alias).has_value();
    const bool is_named = is_lan_ && (is_lan_(link.name) || std::ranges::any_of(link.alternative_names, is_lan_));
    devices_.push_back({.ifindex = link.ifindex,
                        .is_own = is_own,
                        .is_lan = !is_own && !link.loopback && is_named,
                        .is_bridge = link.kind == "bridge"});
    if (!is_own) continue;
    for (const auto& guest : marks_of(link.ifindex, link.alternative_names).guests)
      for (const auto* names : {&guest.published_on, &guest.forwarded_from})
        granted_before.insert(granted_before.end(), names->begin(), names->end());
  }
  for (std::size_t i = 0; i < devices_.size(); ++i)
    devices_[i].is_lan |= !devices_[i].is_own && !links[i].loopback &&
                          std::ranges::find(granted_before, links[i].name) != granted_before.end();
  std::ranges::sort(devices_, {}, &Known::ifindex);
}

void MessageGrammar::take_new(int ifindex) {
  std::erase_if(devices_, [&](const Known& other) { return other.ifindex == ifindex; });
  devices_.insert(std::ranges::upper_bound(devices_, ifindex, {}, &Known::ifindex),
                  {.ifindex = ifindex, .is_own = true, .is_new = true});
}

const MessageGrammar::Known* MessageGrammar::known(int ifindex) const {
  const auto found = std::ranges::lower_bound(devices_, ifindex, {}, &Known::ifindex);
  return ifindex > 0 && found != devices_.end() && found->ifindex == ifindex ? &*found : nullptr;
}

bool MessageGrammar::is_own(std::int64_t ifindex) const {
  const auto* device = ifindex > 0 && ifindex <= INT32_MAX ? known(static_cast<int>(ifindex)) : nullptr;
  return device != nullptr && device->is_own;
}

bool MessageGrammar::allows(ByteSpan message) const {
  const auto header = read_struct<nlmsghdr>(message);
  if (!header || header->nlmsg_len != message.size()) return false;
  const ByteSpan body = rtnetlink::behind(message, sizeof *header);
  const auto is_on_own_device = [&](const auto& of, auto index, std::initializer_list<int> types) {
    ByteSpan attributes;
    auto fixed = of;
    return split(body, fixed, attributes) && is_own(fixed.*index) && has_only(attributes, types);
  };
  switch (header->nlmsg_type) {
    case RTM_SETLINK: return allows_link(body);
    case RTM_NEWLINKPROP: return allows_property(body, true);
    case RTM_DELLINKPROP: return allows_property(body, false);
    case RTM_DELLINK: return allows_deletion(body);
    case RTM_NEWADDR: return is_on_own_device(ifaddrmsg{}, &ifaddrmsg::ifa_index, {IFA_LOCAL, IFA_ADDRESS, IFA_FLAGS});
    case RTM_NEWROUTE:
    case RTM_DELROUTE: return allows_route(body);
    case RTM_NEWNEIGH: return allows_proxy(body, true);
    case RTM_DELNEIGH: return allows_proxy(body, false);
    case RTM_NEWQDISC:
    case RTM_DELQDISC:
    case RTM_NEWTFILTER: return is_on_own_device(tcmsg{}, &tcmsg::tcm_ifindex, {TCA_KIND, TCA_OPTIONS});
    default: return false;
  }
}

bool MessageGrammar::allows_link(ByteSpan bytes) const {
  ifinfomsg body{};
  ByteSpan attributes;
  if (!split(bytes, body, attributes)) return false;
  const Known* device = known(body.ifi_index);
  if (device == nullptr || (body.ifi_change & ~static_cast<unsigned>(IFF_UP)) != 0) return false;
  if (body.ifi_change != 0 && (!device->is_own || body.ifi_flags != IFF_UP)) return false;
  return all_of(attributes, [&](int type, ByteSpan payload) {
    if (type == IFLA_AF_SPEC) return allows_settings(payload, *device);
    if (!device->is_own) return false;
    switch (type) {
      case IFLA_IFALIAS: return DeviceTag::parse(text_in(payload)).has_value();
      case IFLA_GROUP: return number_in(payload) >= kSessionGroups;
      case IFLA_MASTER: {
        const auto* bridge = known(static_cast<int>(number_in(payload)));
        return bridge != nullptr && bridge->is_bridge;
      }
      case IFLA_MTU:
      case IFLA_ADDRESS: return true;
      case IFLA_PROTINFO: return body.ifi_family == AF_BRIDGE && has_only(payload, {IFLA_BRPORT_ISOLATED});
      case IFLA_NET_NS_FD:
      case IFLA_IFNAME: return device->is_new;
      default: return false;
    }
  });
}

// Of IPv4, forwarding and proxy ARP; of IPv6, that a device of ours has no link-local address.
bool MessageGrammar::allows_settings(ByteSpan families, const Known& device) const {
  return all_of(families, [&](int family, ByteSpan of_family) {
    if (family == AF_INET6) return device.is_own && has_only(of_family, {IFLA_INET6_ADDR_GEN_MODE});
    return family == AF_INET && all_of(of_family, [&](int type, ByteSpan settings) {
             return type == IFLA_INET_CONF && all_of(settings, [&](int setting, ByteSpan value) {
                      if (setting == IPV4_DEVCONF_PROXY_ARP) return device.is_own;
                      const bool is_off = number_in(value) == 0;
                      return setting == IPV4_DEVCONF_FORWARDING && (is_off || device.is_own || device.is_lan);
                    });
           });
  });
}

bool MessageGrammar::allows_property(ByteSpan bytes, bool on) const {
  ifinfomsg body{};
  ByteSpan attributes;
  if (!split(bytes, body, attributes) || body.ifi_flags != 0 || body.ifi_change != 0) return false;
  const Known* device = known(body.ifi_index);
  if (device == nullptr || (on && !device->is_own && !device->is_lan)) return false;
  return all_of(attributes, [](int type, ByteSpan list) {
    return type == IFLA_PROP_LIST && all_of(list, [](int kind, ByteSpan name) {
             return kind == IFLA_ALT_IFNAME && is_mark(text_in(name).substr(0, text_in(name).find('\0')));
           });
  });
}

bool MessageGrammar::allows_deletion(ByteSpan bytes) const {
  ifinfomsg body{};
  ByteSpan attributes;
  if (!split(bytes, body, attributes) || body.ifi_flags != 0 || body.ifi_change != 0) return false;
  if (body.ifi_index != 0) return is_own(body.ifi_index) && attributes.empty();
  return !attributes.empty() && all_of(attributes, [](int type, ByteSpan payload) {
    return type == IFLA_GROUP && number_in(payload) >= kSessionGroups;
  });
}

bool MessageGrammar::allows_route(ByteSpan bytes) const {
  rtmsg body{};
  ByteSpan attributes;
  if (!split(bytes, body, attributes) || body.rtm_protocol != rtnetlink::kProtocol || body.rtm_table != RT_TABLE_MAIN ||
      body.rtm_type != RTN_UNICAST || body.rtm_dst_len == 0)
    return false;
  bool has_device = false;
  return all_of(attributes,
                [&](int type, ByteSpan payload) {
                  if (type != RTA_OIF) return type == RTA_DST || type == RTA_GATEWAY;
                  has_device = true;
                  return is_own(number_in(payload));
                }) &&
         has_device;
}

bool MessageGrammar::allows_proxy(ByteSpan bytes, bool on) const {
  ndmsg body{};
  ByteSpan attributes;
  if (!split(bytes, body, attributes) || body.ndm_flags != NTF_PROXY) return false;
  const Known* lan = known(body.ndm_ifindex);
  if (lan == nullptr || lan->is_own || (on && !lan->is_lan)) return false;
  bool is_ours = !on;
  return all_of(attributes,
                [&](int type, ByteSpan payload) {
                  if (type != NDA_PROTOCOL) return type == NDA_DST;
                  is_ours = payload.size() == 1 && rtnetlink::is_our_protocol(payload[0]);
                  return is_ours;
                }) &&
         is_ours;
}

}  // namespace umlnet::priv
