// The policy as values: what umlnet-policy(5) describes, read and checked.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "libumlnet/core/anti_spoof.h"
#include "libumlnet/core/ip_range.h"
#include "libumlnet/core/request.h"
#include "policy/device_pattern.h"

namespace umlnet::policy {

struct Everybody {};

// A user or a group as a rule names it. `id` is empty where the name stands in no account file.
struct Principal {
  std::variant<Everybody, id_t, std::string> written;
  std::optional<id_t> id;
};

enum class Effect { allow, deny };

// In an allow rule a list left out (nullopt) grants nothing of its kind; for `devices` that means names chosen by the
// kernel only. In a deny rule a list left out restricts nothing: the rule matches whatever the request names.
struct Rule {
  static constexpr unsigned kDefaultMaxDevices = 16;
  static constexpr unsigned kDefaultMaxAddresses = 64;
  static constexpr unsigned kDefaultMaxMtu = 1500;  // bytes: Ethernet's

  std::string name;
  Effect effect = Effect::allow;
  std::vector<Principal> users;
  std::vector<Principal> groups;
  std::optional<std::set<Operation>> operations;
  std::optional<std::vector<DevicePattern>> devices;
  std::optional<std::vector<IpRange>> gateways;
  std::optional<std::vector<IpRange>> guests;
  std::optional<std::vector<DevicePattern>> bridges;
  std::optional<std::vector<DevicePattern>> lan;
  unsigned max_devices = kDefaultMaxDevices;
  unsigned max_addresses = kDefaultMaxAddresses;
  std::optional<unsigned> max_devices_per_bridge;  // nullopt: as many as max_devices

  // What `open` may ask for beyond names and addresses. In allow rules only.
  unsigned max_mtu = kDefaultMaxMtu;  // bytes
  unsigned max_queues = 1;
  bool host_mac = false;                        // the MAC address of the host's side
  bool vnet_hdr = false;                        // virtio-net headers
  bool namespaces = false;                      // devices in network namespaces of the caller's
  bool persistent = false;                      // devices that outlive their fds
  std::vector<Principal> owners, owner_groups;  // who may be the owner of such a device besides the caller

  // What the rule wants of every device that it grants. In allow rules only.
  bool isolated = false;    // as a port of a bridge: isolated from other such ports
  bool sealed = false;      // the caller never holds the device's fd
  bool anti_spoof = false;  // a filter for the guest's source addresses

  Infrastructure infrastructure;  // what that filter lets the guest send besides. In allow rules only.
};

struct Policy {
  bool present = false;  // false: no policy file at all, so only root may
  std::vector<Rule> rules;
  bool journald = false;  // each line of the audit log goes to systemd-journald, too
};

}  // namespace umlnet::policy
