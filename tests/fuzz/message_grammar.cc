// Whatever bytes the program would send to the kernel's network configuration: what the grammar lets through is about
// a device that it may be about, and moves none but a new one to another network namespace.
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "tests/fuzz/require.h"
#include "uml_net/priv/message_grammar.h"

using namespace umlnet;

namespace {

constexpr int kLan = 2, kOther = 3, kOwn = 5, kNew = 6;

priv::MessageGrammar grammar() {
  std::vector<rtnetlink::Link> links(3);
  links[0].ifindex = kLan, links[0].name = "eth0";
  links[1].ifindex = kOther, links[1].name = "eth1";
  links[2].ifindex = kOwn, links[2].name = "tap0", links[2].tap = true;
  links[2].alias = "uml_net uid=1001 id=4f2c0000-0000-4000-8000-000000000001 tuntap";
  priv::MessageGrammar rules;
  rules.set_lans([](std::string_view name) { return name == "eth0"; });
  rules.look_at(links);
  rules.take_new(kNew);
  return rules;
}

// The types of the attributes at the top, by another reading than the grammar's own.
std::vector<int> types_in(const std::uint8_t* data, std::size_t size) {
  std::vector<int> types;
  for (std::size_t at = 0; at + sizeof(rtattr) <= size;) {
    rtattr header;
    std::memcpy(&header, data + at, sizeof header);
    if (header.rta_len < sizeof header) break;
    types.push_back(header.rta_type & NLA_TYPE_MASK);
    at += RTA_ALIGN(header.rta_len);
  }
  return types;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const priv::MessageGrammar rules = grammar();
  if (!rules.allows({data, size})) return 0;
  REQUIRE_THAT(size >= sizeof(nlmsghdr) + sizeof(rtmsg));
  nlmsghdr header;
  std::memcpy(&header, data, sizeof header);
  REQUIRE_THAT(header.nlmsg_len == size);
  const std::uint8_t* body = data + sizeof header;
  const auto has = [&](std::size_t fixed, int type) {
    const auto types = types_in(body + fixed, size - sizeof header - fixed);
    return std::ranges::find(types, type) != types.end();
  };
  switch (header.nlmsg_type) {
    case RTM_SETLINK:
    case RTM_DELLINK:
    case RTM_NEWLINKPROP:
    case RTM_DELLINKPROP: {
      ifinfomsg link;
      std::memcpy(&link, body, sizeof link);
      REQUIRE_THAT(link.ifi_index != kNew || header.nlmsg_type != RTM_DELLINK || size == sizeof header + sizeof link);
      for (const int type : {IFLA_NET_NS_FD, IFLA_IFNAME})
        REQUIRE_THAT(!has(sizeof link, type) || link.ifi_index == kNew);
      for (const int type :
           {IFLA_NET_NS_PID, IFLA_TARGET_NETNSID, IFLA_NEW_NETNSID, IFLA_XDP, IFLA_LINKINFO, IFLA_VFINFO_LIST})
        REQUIRE_THAT(!has(sizeof link, type));
      if (link.ifi_index == kOther || link.ifi_index == kLan) {
        REQUIRE_THAT(link.ifi_change == 0 && header.nlmsg_type != RTM_DELLINK);
        for (const int type : {IFLA_MASTER, IFLA_MTU, IFLA_ADDRESS, IFLA_IFALIAS, IFLA_GROUP, IFLA_PROTINFO})
          REQUIRE_THAT(!has(sizeof link, type));
      }
      return 0;
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      rtmsg route;
      std::memcpy(&route, body, sizeof route);
      REQUIRE_THAT(route.rtm_protocol == rtnetlink::kProtocol && route.rtm_table == RT_TABLE_MAIN &&
                   route.rtm_dst_len != 0);
      REQUIRE_THAT(has(sizeof route, RTA_OIF));
      for (const int type : {RTA_TABLE, RTA_MULTIPATH, RTA_NH_ID, RTA_ENCAP, RTA_VIA})
        REQUIRE_THAT(!has(sizeof route, type));
      return 0;
    }
    case RTM_NEWADDR:
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
    case RTM_NEWQDISC:
    case RTM_DELQDISC:
    case RTM_NEWTFILTER: return 0;
    default: REQUIRE_THAT(false);
  }
  return 0;
}
