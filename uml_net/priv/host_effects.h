// Every effect that the program has on the host's network, behind one interface, so that tests can stand in for the
// kernel and let any step fail. The real one is KernelEffects.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/mac_address.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/priv/tun.h"

namespace umlnet::priv {

struct NewTap {
  IfName name;
  int ifindex;
  MacAddress mac;  // of the kernel's choice
  unique_fd fd;    // the device lives as long as a copy of it is open
};

class HostEffects {
 public:
  virtual ~HostEffects() = default;

  // An error of a change is Code::no_answer where it is not known whether it was made; otherwise it was not.

  // EBUSY where `name` is in use.
  virtual Result<NewTap> make_tap(uid_t owner, const std::optional<IfName>& name, TapFrames frames) = 0;
  virtual Result<void> set_alias(int ifindex, const std::string& alias) = 0;
  virtual Result<void> add_address(int ifindex, Ipv4 address) = 0;  // /32
  virtual Result<void> set_up(int ifindex) = 0;
  virtual Result<void> set_mtu(int ifindex, unsigned mtu) = 0;
  virtual Result<void> set_mac(int ifindex, const MacAddress& mac) = 0;
  virtual Result<void> set_master(int ifindex, int bridge) = 0;
  virtual Result<void> add_route(int ifindex, Ipv4 address) = 0;  // EEXIST where any route to that very address is
  virtual Result<void> delete_route(int ifindex, Ipv4 address) = 0;
  virtual Result<void> publish(int ifindex, Ipv4 address, std::uint8_t protocol) = 0;
  virtual Result<void> withdraw(int ifindex, Ipv4 address) = 0;
  virtual Result<void> set_proxy_arp(int ifindex, bool on) = 0;
  virtual Result<void> set_forwarding(int ifindex, bool on) = 0;
  virtual Result<void> delete_link(int ifindex) = 0;
};

}  // namespace umlnet::priv
