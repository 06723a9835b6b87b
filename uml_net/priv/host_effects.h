// Every effect that the program has on the host's network, behind one interface, so that tests can stand in for the
// kernel and let any step fail. The real one is KernelEffects.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/mac_address.h"
#include "libumlnet/core/request.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::priv {

struct TapWanted {
  DeviceOwner owner;
  std::optional<IfName> name = {};  // none: the kernel chooses one
  bool virtio_headers = false;
  unsigned queues = 1;
};

struct NewTap {
  IfName name;
  int ifindex;
  MacAddress mac;
  unsigned mtu;
  std::vector<unique_fd> queues;  // the device lives as long as a copy of one of them is open, unless it is persistent
};

// Nobody calls these but execute(), which wants a Plan, and those that undo what it did.
class HostEffects {
 public:
  virtual ~HostEffects() = default;

 private:
  friend struct Perform;  // of execute.cc

  // An error of a change is Code::no_answer where it is not known whether it was made; otherwise it was not.

  // EBUSY where the name is in use.
  virtual Result<NewTap> make_tap(const TapWanted& wanted) = 0;
  virtual Result<void> set_persistent(const NewTap& tap, bool on) = 0;
  // And the link group at once, where it is not 0.
  virtual Result<void> set_alias(int ifindex, const std::string& alias, std::uint32_t group) = 0;
  virtual Result<void> add_address(int ifindex, const IpInterface& address) = 0;
  virtual Result<void> set_up(int ifindex) = 0;
  virtual Result<void> set_mtu(int ifindex, unsigned mtu) = 0;
  virtual Result<void> set_mac(int ifindex, const MacAddress& mac) = 0;
  virtual Result<void> set_master(int ifindex, int bridge) = 0;
  virtual Result<void> isolate_port(int ifindex) = 0;
  // The device gets no link-local IPv6 address when it comes up. No error where the kernel has no IPv6.
  virtual Result<void> set_no_link_local_address(int ifindex) = 0;
  // Each frame that comes from the device's holder is judged by this classic-BPF program before the host sees it.
  virtual Result<void> classify_ingress(int ifindex, std::span<const sock_filter> program) = 0;
  // EEXIST where one to just that network is.
  virtual Result<void> add_route(int ifindex, const IpRange& network, const std::optional<IpAddress>& via) = 0;
  virtual Result<void> delete_route(int ifindex, const IpRange& network, const std::optional<IpAddress>& via) = 0;
  virtual Result<void> publish(int ifindex, const IpAddress& address, std::uint8_t protocol) = 0;
  virtual Result<void> withdraw(int ifindex, const IpAddress& address) = 0;
  virtual Result<void> set_proxy_arp(int ifindex, bool on) = 0;
  virtual Result<void> set_forwarding(int ifindex, bool on) = 0;
  // An alternative name of the device, or none of that name any more. EEXIST where any device has it. No error where
  // the kernel knows no such names.
  virtual Result<void> set_mark(int ifindex, const std::string& name, bool on) = 0;
  virtual Result<void> delete_link(int ifindex) = 0;
  // All links of the group at once. A group of no link is no error.
  virtual Result<void> delete_group(std::uint32_t group) = 0;
};

}  // namespace umlnet::priv
