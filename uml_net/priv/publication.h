// What it takes for a guest to be reached from the host's LANs, and to get out there: steps of a plan.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libumlnet/core/device_marks.h"
#include "policy/decide.h"
#include "policy/host_state.h"
#include "uml_net/priv/plan.h"

namespace umlnet::priv {

Device device_of(const rtnetlink::Link& link);

// Whether forwarding on a LAN device is the toolkit's: it is off now, or was off before the toolkit came.
bool forwarding_is_ours(const policy::HostState& host, const rtnetlink::Link& lan);

// Turns forwarding of the LAN devices on, and marks it as the toolkit's. Each is off.
void start_forwarding(const std::vector<const rtnetlink::Link*>& lans, Steps& plan);

// Turns a LAN device's forwarding off if it is the toolkit's, and no guest needs it but those of the device `besides`
// and of the networks `without`.
void stop_forwarding(const policy::HostState& host, const rtnetlink::Link& lan, int besides,
                     const std::vector<IpRange>& without, Steps& plan);

// Guests on their way out: the proxy entries on LANs, the forwarding that they need, and the marks that tell of both.
class Publication {
 public:
  // All is borrowed.
  Publication(const policy::Grant& grant, const policy::HostState& host, Steps& plan)
      : grant_(grant), host_(host), plan_(plan) {}

  // Publishes `guest` on each of the LANs that the rule lists. The kernel has no proxy for a network: a small one is
  // published address by address. `via` is for the mark.
  void on(const std::vector<const rtnetlink::Link*>& lans, const IpRange& guest,
          const std::optional<IpAddress>& via = {});

  // After everything else: traffic flows from here on. `device` is the guest's, with `forwarding` as it is, and with
  // `names`, its alternative names. A mark comes after what it tells of: who finds the mark alone would do it, too.
  void finish(const Device& device, bool forwarding, const std::vector<std::string>& names);

 private:
  bool lets_out(const rtnetlink::Link& link) const;
  void need_forwarding(const rtnetlink::Link& lan);
  bool publish(const rtnetlink::Link& lan, const IpRange& guest);
  bool publish(const rtnetlink::Link& lan, Ipv4 address);
  bool publish(const rtnetlink::Link& lan, const Ipv6& address);
  bool leave_alone(const rtnetlink::Link& lan, const IpAddress& address);

  const policy::Grant& grant_;
  const policy::HostState& host_;
  Steps& plan_;
  bool is_let_out_ = false;  // an IPv4 guest is published, or goes out where the rule lets it
  bool is_seen_ = false;     // an address has a LAN, listed or not
  std::string unseen_;       // those that have none
  std::vector<GuestMark> marks_;
  std::vector<const rtnetlink::Link*> to_forward_;
};

}  // namespace umlnet::priv
