#include "libumlnet/core/network_monitor.h"

#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
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
  unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = kGroups;
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0)
    return fail_errno(Code::kernel, errno, "cannot listen for changes of the network");
  return NetworkMonitor(std::move(fd));
}

bool NetworkMonitor::settles(int ready) {
  if (ready == 0) return std::exchange(has_changed_, false);
  has_changed_ |= take_changes();
  return false;
}

// Reads all notices that are there. True where one of them is such a change, or some were lost.
bool NetworkMonitor::take_changes() {
  bool changed = false;
  std::array<std::uint8_t, 8192> buffer;
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t size = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC,
                                    reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != ENOBUFS) return changed;
    // Lost, or too long to look at.
    if (size < 0 || static_cast<std::size_t>(size) > buffer.size()) {
      changed = true;
      continue;
    }
    if (from.nl_pid != 0) continue;  // another process wrote to our port
    rtnetlink::for_each_message({buffer.data(), static_cast<std::size_t>(size)}, [&](const Message& message) {
      changed |= may_take_something(message);
      return true;
    });
  }
}

}  // namespace umlnet
