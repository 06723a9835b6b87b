#include "libumlnet/core/open_options.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

namespace umlnet {
namespace {

bool has_two(const auto& items, const auto& clash) {
  for (auto one = items.begin(); one != items.end(); ++one)
    if (std::any_of(std::next(one), items.end(), [&](const auto& other) { return clash(*one, other); })) return true;
  return false;
}

}  // namespace

Result<void> check_options(const OpenInterface& request) {
  if (request.queues < 1 || request.queues > native5::kMaxQueues)
    return fail(Code::bad_value, "queues=" + std::to_string(request.queues) + " is not a number from 1 to " +
                                     std::to_string(native5::kMaxQueues));
  if (request.mtu && (*request.mtu < native5::kMinMtu || *request.mtu > native5::kMaxMtu))
    return fail(Code::bad_value, "mtu=" + std::to_string(*request.mtu) + " is not a number from " +
                                     std::to_string(native5::kMinMtu) + " to " + std::to_string(native5::kMaxMtu));
  for (const auto& guest : request.guests)
    if (guest.length() < (guest.is_ipv4() ? native5::kMinGuestLength : native5::kMinIpv6GuestLength))
      return fail(Code::bad_value, "guest=" + guest.str() + " is too large a network");
  const auto needs = [](std::string_view option, std::string_view other, std::string_view why) {
    return fail(Code::usage, std::string(option) + " needs " + std::string(other) + ": " + std::string(why));
  };
  const auto excludes = [](std::string_view option, std::string_view other, std::string_view why) {
    return fail(Code::usage, std::string(option) + " does not go with " + std::string(other) + ": " + std::string(why));
  };
  if (has_two(request.addresses, [](const auto& one, const auto& other) { return one.address == other.address; }) ||
      has_two(request.guests, [](const IpRange& one, const IpRange& other) { return one.overlaps(other); }) ||
      has_two(request.guest_macs, std::equal_to<>()))
    return fail(Code::usage, "an address is given twice");
  if (request.isolated && !request.bridge)
    return needs("isolated", "bridge=", "it is a bridge that isolates its ports");
  if (request.persistent && !request.device)
    return needs("persist", "device=", "whoever attaches to the device later finds it by its name");
  if (request.anti_spoof && request.guest_macs.empty())
    return needs("anti-spoof", "guest-mac=", "frames are told from spoofed ones by their source");
  if (request.anti_spoof && request.guests.empty())
    return needs("anti-spoof", "guest=", "packets are told from spoofed ones by their source");
  if (!request.guest_macs.empty() && !request.anti_spoof)
    return needs("guest-mac=", "anti-spoof", "nothing else asks for the guest's MAC address");
  if (request.anti_spoof && request.virtio_headers)
    return excludes("anti-spoof", "vnet-hdr",
                    "by such a header a guest has the kernel write a checksum wherever it likes, after its frame was "
                    "judged");
  if (request.bridge && !request.addresses.empty())
    return excludes("bridge=", "address=", "the host's addresses belong on the bridge itself");
  if (request.sealed && request.queues > 1) return excludes("sealed", "queues=", "there is one socket for the frames");
  if (request.sealed && request.virtio_headers)
    return excludes("sealed", "vnet-hdr", "the frames on the socket are plain Ethernet frames");
  if (request.sealed && request.persistent)
    return excludes("sealed", "persist", "a device that anybody may attach to by its name is not sealed");
  if (request.owner && !request.persistent)
    return needs("owner=", "persist", "an owner attaches to the device later, by its name");
  if (request.persistent && request.netns)
    return excludes("persist", "netns=", "the namespace's owner can make a persistent device there without uml_net");
  for (const auto& guest : request.guests)
    for (const auto& address : request.addresses)
      if (guest.contains(address.address))
        return fail(Code::usage, to_string(address.address) + " is asked for as the host's address and as the guest's",
                    "Give each its own.");
  const auto is_v6 = [](const IpAddress& address) { return std::holds_alternative<Ipv6>(address); };
  const bool has_v6 = std::ranges::any_of(request.addresses, is_v6, &IpInterface::address) ||
                      std::ranges::any_of(request.guests, is_v6, &IpRange::first);
  if (has_v6 && request.mtu && *request.mtu < native5::kMinIpv6Mtu)
    return fail(Code::bad_value, "mtu=" + std::to_string(*request.mtu) + " is too small for IPv6",
                "IPv6 needs an MTU of 1280 at least.");
  return {};
}

}  // namespace umlnet
