#include "libumlnet/cli/device_options.h"

#include <fcntl.h>
#include <sysexits.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "libumlnet/cli/option_table.h"
#include "libumlnet/cli/user_names.h"
#include "libumlnet/cli/words.h"
#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/request.h"

namespace umlnet::cli {
namespace {

enum : int {
  kDevice = kDeviceOptions,
  kIp,
  kIp6,
  kGuest,
  kGuestMac,
  kBridge,
  kIsolated,
  kMtu,
  kMac,
  kQueues,
  kVnetHdr,
  kNetns,
  kPersist,
  kOwner,
  kSealed,
  kAntiSpoof
};
constexpr option kTable[] = {
    {"device", required_argument, nullptr, kDevice},
    {"ip", required_argument, nullptr, kIp},
    {"ip6", required_argument, nullptr, kIp6},
    {"guest", required_argument, nullptr, kGuest},
    {"guest-mac", required_argument, nullptr, kGuestMac},
    {"bridge", required_argument, nullptr, kBridge},
    {"isolated", no_argument, nullptr, kIsolated},
    {"mtu", required_argument, nullptr, kMtu},
    {"mac", required_argument, nullptr, kMac},
    {"queues", required_argument, nullptr, kQueues},
    {"vnet-hdr", no_argument, nullptr, kVnetHdr},
    {"netns", required_argument, nullptr, kNetns},
    {"persist", no_argument, nullptr, kPersist},
    {"owner", required_argument, nullptr, kOwner},
    {"sealed", no_argument, nullptr, kSealed},
    {"anti-spoof", no_argument, nullptr, kAntiSpoof},
};

// Of a process, or by its file.
Outcome<unique_fd> open_namespace(const std::string& name) {
  const std::string path = number(name, INT_MAX) ? "/proc/" + name + "/ns/net" : name;
  unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return trouble_errno(EX_NOINPUT, "cannot open the network namespace " + path, errno);
  return fd;
}

// As chown(1) has it: a user's name or number, or that of a group behind a colon. In numbers.
Outcome<std::string> number_of_owner(const std::string& value) {
  if (DeviceOwner::parse(value)) return value;
  if (value.starts_with(':')) {
    const auto gid = gid_of_group(value.substr(1));
    if (!gid) return trouble(EX_NOUSER, "--owner " + value + ": there is no such group");
    return ":" + std::to_string(*gid);
  }
  const auto uid = uid_of_user(value);
  if (!uid) return trouble(EX_NOUSER, "--owner " + value + ": there is no such user; for a group, write :GROUP");
  return std::to_string(*uid);
}

// Without a value to read: the switch is on.
template <class T>
Outcome<bool> set(T& place, T value) {
  place = std::move(value);
  return true;
}

// 0 has a meaning of its own in the library: the number was not given.
Outcome<bool> set_number(std::uint32_t& place, const char* option, const std::string& value) {
  const auto read = number(value, INT_MAX);
  if (!read || *read == 0) return trouble(EX_DATAERR, std::string(option) + " " + value + ": it is a number from 1 on");
  return set(place, *read);
}

}  // namespace

std::span<const option> DeviceOptions::table() { return kTable; }

std::vector<const char*> DeviceOptions::pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> list;
  list.reserve(texts.size() + 1);
  for (const auto& text : texts) list.push_back(text.c_str());
  list.push_back(nullptr);
  return list;
}

void DeviceOptions::add_guest_mac(const std::string& mac) {
  if (anti_spoof_ && guest_macs_.empty()) guest_macs_.push_back(mac);
}

Outcome<bool> DeviceOptions::take(int letter, const std::string& value) {
  const auto* known = std::ranges::find(kTable, letter, &option::val);
  if (known == std::end(kTable)) return false;
  const std::string option = std::string("--") + known->name;
  if (first_.empty()) first_ = option;
  if (known->has_arg != no_argument && value.empty()) return misuse(option + " has an empty value");
  switch (letter) {
    case kDevice: return set(device_, value);
    case kIp:
    case kIp6: {
      const auto address = IpInterface::parse(value);
      const bool is_v6 = address && std::holds_alternative<Ipv6>(address->address);
      if (!address || is_v6 != (letter == kIp6))
        return trouble(EX_DATAERR, option + " " + value + ": it is not an " + (letter == kIp6 ? "IPv6" : "IPv4") +
                                       " address, as in " + (letter == kIp6 ? "fd00:99::1/64" : "10.99.0.254/24"));
      addresses_.push_back(value);
      return true;
    }
    case kGuest: guests_.push_back(value); return true;
    case kGuestMac: guest_macs_.push_back(value); return true;
    case kBridge: return set(bridge_, value);
    case kIsolated: return set(isolated_, true);
    case kMtu: return set_number(mtu_, "--mtu", value);
    case kMac: return set(mac_, value);
    case kQueues: return set_number(queues_, "--queues", value);
    case kVnetHdr: return set(vnet_hdr_, true);
    case kNetns: {
      auto opened = open_namespace(value);
      if (!opened) return std::unexpected(opened.error());
      return set(netns_, *std::move(opened));
    }
    case kPersist: return set(persistent_, true);
    case kOwner: {
      auto owner = number_of_owner(value);
      if (!owner) return std::unexpected(owner.error());
      return set(owner_, *std::move(owner));
    }
    case kSealed: return set(sealed_, true);
    default: return set(anti_spoof_, true);
  }
}

}  // namespace umlnet::cli
