#include "libumlnet/core/rtnetlink_names.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <string>

#include "libumlnet/core/rtnetlink_message.h"

namespace umlnet::rtnetlink {
namespace {

Bytes change_of_name(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, int ifindex,
                     std::string_view name) {
  ifinfomsg body{};
  body.ifi_index = ifindex;
  return Builder(type, static_cast<std::uint16_t>(NLM_F_ACK | flags), sequence, body)
      .nested(IFLA_PROP_LIST, [&](Builder& list) { list.attribute(IFLA_ALT_IFNAME, std::string(name) + '\0'); })
      .done();
}

}  // namespace

Bytes add_alternative_name(std::uint32_t sequence, int ifindex, std::string_view name) {
  return change_of_name(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_APPEND | NLM_F_EXCL, sequence, ifindex, name);
}

Bytes delete_alternative_name(std::uint32_t sequence, int ifindex, std::string_view name) {
  return change_of_name(RTM_DELLINKPROP, 0, sequence, ifindex, name);
}

}  // namespace umlnet::rtnetlink
