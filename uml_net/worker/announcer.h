// The process that announces on a LAN that a guest's address is reached by way of the host. That takes a raw frame, and
// so a packet socket, which this process alone has; the kernel also takes some 15 ms to close one, for which nobody
// waits here.
#pragma once

#include <optional>

#include "libumlnet/core/error.h"
#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/mac_address.h"
#include "uml_net/worker/worker.h"

namespace umlnet {

class Announcer {
 public:
  // Opens the packet socket, with CAP_NET_RAW, which the process has no more afterwards, and starts the announcer,
  // which becomes its caller and enters filters::kAnnouncer. To be called before the caller's identity is taken.
  // Nothing where the installation has no CAP_NET_RAW, or no process can be had.
  static std::optional<Announcer> start();

  // Sends one frame (announcement_frame.h) on the Ethernet device `ifindex`, whose MAC address is `mac`, in a moment.
  // Code::kernel where the process is gone or stopped. Whether the frame was sent is not known.
  Result<void> announce(int ifindex, const MacAddress& mac, const IpAddress& address) const;

 private:
  explicit Announcer(Worker process) : process_(std::move(process)) {}

  Worker process_;
};

}  // namespace umlnet
