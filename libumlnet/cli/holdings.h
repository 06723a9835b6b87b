// Who holds what of the network: devices, addresses and LANs, put together from the kernel's state alone.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/cli/network_state.h"
#include "libumlnet/cli/tap_holders.h"

namespace umlnet::cli {

// What stands there and should not, why, and how to get rid of it.
struct Leftover {
  std::string what, why, remedy;
};

struct Holdings {
  struct Guest {
    std::string address;
    std::vector<std::string> lans;  // on which it is published
  };
  struct Device {
    std::string name;
    int ifindex = 0;
    uid_t uid = 0;  // who made it
    std::string id, request;
    std::optional<std::chrono::sys_seconds> since;
    bool up = false;
    unsigned queues = 0;
    bool persistent = false;                     // it outlives its holders
    bool sealed = false;                         // as its request says: a relay holds it, and its user has a socket
    bool isolated = false;                       // on its bridge, from other isolated ports
    std::uint64_t rx_packets = 0, rx_bytes = 0;  // from the guest
    std::uint64_t tx_packets = 0, tx_bytes = 0;  // to the guest
    std::uint64_t tx_dropped = 0;
    std::vector<std::string> gateways;  // the host's addresses on it, IPv6 ones of the link itself left out
    std::vector<Guest> guests;
    std::string bridge;              // that it is a port of
    std::vector<TapHolder> holders;  // as far as this process may see
    std::optional<Leftover> leftover;
  };
  struct Lan {
    std::string name;
    std::vector<std::string> addresses;  // the host's there, with prefix lengths
  };

  std::vector<Device> devices;      // by user, oldest first
  std::vector<Lan> lans;            // those on which guests are published, and bridges of devices
  std::vector<Leftover> leftovers;  // that belong to no device
};

// What guests that are there lost by events of the network, and what stayed on in vain: as the next request of anybody
// puts it right.
std::vector<Leftover> missing_things(const policy::HostState& state);

Holdings put_together(const policy::HostState& state, const std::vector<TapHolder>& holders);

}  // namespace umlnet::cli
