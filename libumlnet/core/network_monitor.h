// Notices of the kernel that something of the network changed which may have taken what guests need: a device went down
// or up, an address went or came, a route of this toolkit went (rtnetlink(7), RTNLGRP_*).
#pragma once

#include <utility>

#include "libumlnet/core/error.h"
#include "libumlnet/core/netlink_socket.h"

namespace umlnet {

class NetworkMonitor {
 public:
  // Of the network namespace that the process is in. Needs no privilege.
  static Result<NetworkMonitor> open();
  // In two steps, for a socket that is to have another number in between.
  static Result<unique_fd> open_socket();
  explicit NetworkMonitor(unique_fd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.fd(); }  // readable when there are notices

  // For poll(), with fd() among the descriptors: for how long to wait, in milliseconds, -1 for ever; and what came of
  // it, `ready` being what poll() returned. True once after a change, or several, when nothing happened for a moment.
  int patience() const { return has_changed_ ? kMoment : -1; }
  bool settles(int ready);
  // What was to be done after the change was not: settles() is true once more in a moment.
  void want_another_look() { has_changed_ = true; }

 private:
  static constexpr int kMoment = 100;  // milliseconds
  bool take_changes();
  NetlinkSocket socket_;
  bool has_changed_ = false;
};

}  // namespace umlnet
