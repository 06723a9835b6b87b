#include "libumlnet/core/network_monitor.h"

#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "libumlnet/core/rtnetlink_message.h"

namespace umlnet {
namespace {

using rtnetlink::Message;

constexpr std::uint32_t kGroups =
    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;

bool may_take_something(const Message& message) {
  switch (message.type) {
    case RTM_NEWADDR:
    case RTM_DELADDR: return true;
    case RTM_DELROUTE: {
      const auto route = rtnetlink::read_struct<rtmsg>(message.payload);
      return route && rtnetlink::is_our_protocol(route->rtm_protocol);
    }
    case RTM_NEWLINK: {
      const auto link = rtnetlink::read_struct<ifinfomsg>(message.payload);
      return link && (link->ifi_change & IFF_UP) != 0;
    }
    default: return false;
  }
}

}  // namespace

Result<NetworkMonitor> NetworkMonitor::open() {
  auto fd = open_socket();
  if (!fd) return std::unexpected(std::move(fd.error()));
  return NetworkMonitor(*std::move(fd));
}

Result<unique_fd> NetworkMonitor::open_socket() {
  return open_netlink(NETLINK_ROUTE, "cannot listen for changes of the network", kGroups);
}

bool NetworkMonitor::settles(int ready) {
  if (ready == 0) return std::exchange(has_changed_, false);
  has_changed_ |= take_changes();
  return false;
}

// Reads all notices that are there. True where one of them is such a change, or some were lost.
bool NetworkMonitor::take_changes() {
  bool changed = false;
  for (;;) {
    const auto datagram = socket_.receive("cannot receive a notice", MSG_DONTWAIT);
    if (datagram) {
      rtnetlink::for_each_message(*datagram, [&](const Message& message) {
        changed |= may_take_something(message);
        return true;
      });
    } else if (datagram.error().errnum == ENOBUFS || datagram.error().errnum == EMSGSIZE) {
      changed = true;
    } else {
      return changed;
    }
  }
}

}  // namespace umlnet
