// What a device is to be that uml_net makes by its native protocol, as --queues, --bridge and the like say.
#pragma once

#include <getopt.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/unique_fd.h"
#include "umlnet/umlnet.h"

namespace umlnet::cli {

class DeviceOptions {
 public:
  static std::span<const option> table();  // without letters
  // As HelperOptions::take().
  Outcome<bool> take(int letter, const std::string& value);

  // The first that was taken ("--queues"); "": none was.
  const std::string& first() const { return first_; }
  void add_host_address(const std::string& address) { addresses_.push_back(address); }
  void add_guest(const std::string& address) { guests_.push_back(address); }
  // Of a setup string; nothing where one was given, and where nothing looks at it.
  void add_guest_mac(const std::string& mac);

  std::size_t fd_count() const { return queues_ != 0 ? queues_ : 1; }
  bool is_persistent() const { return persistent_; }

  // Calls `use` with the request, which lives as long as the call.
  template <class Use>
  auto with_request(Use use) const {
    const auto addresses = pointers(addresses_), guests = pointers(guests_), guest_macs = pointers(guest_macs_);
    umlnet_device_request request = UMLNET_DEVICE_REQUEST_INIT;
    request.device = or_null(device_);
    request.addresses = addresses.data();
    request.guests = guests.data();
    request.guest_macs = guest_macs.data();
    request.owner = or_null(owner_);
    request.bridge = or_null(bridge_);
    request.isolated = isolated_ ? 1 : 0;
    request.mtu = mtu_;
    request.mac = or_null(mac_);
    request.queues = queues_;
    request.vnet_hdr = vnet_hdr_ ? 1 : 0;
    request.netns = netns_.get();
    request.persistent = persistent_ ? 1 : 0;
    request.sealed = sealed_ ? 1 : 0;
    request.anti_spoof = anti_spoof_ ? 1 : 0;
    return use(request);
  }

 private:
  static const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }
  static std::vector<const char*> pointers(const std::vector<std::string>& texts);

  std::string first_;
  std::string device_, bridge_, mac_, owner_;
  std::vector<std::string> addresses_, guests_, guest_macs_;
  std::uint32_t mtu_ = 0, queues_ = 0;
  bool isolated_ = false, vnet_hdr_ = false, persistent_ = false, sealed_ = false, anti_spoof_ = false;
  unique_fd netns_;
};

}  // namespace umlnet::cli
