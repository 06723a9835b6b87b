// uml_net as its callers see it: protocol UML 4, one function an operation.
#pragma once

#include <optional>
#include <string>

#include "libumlnet/client/deadline.h"
#include "libumlnet/client/failure.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::client {

// An address that a guest has, with the netmask of its interface.
struct GuestAddress {
  Ipv4 address;
  Ipv4Mask netmask;
  bool operator==(const GuestAddress&) const = default;
};

enum class AddressChange { add, remove };

class Helper {
 public:
  // Looks for it (helper_program.h). `timeout_ms` as in umlnet_options: for each call, negative for no limit.
  static Outcome<Helper> find(const char* wanted, int timeout_ms);

  const std::string& path() const { return path_; }
  Deadline deadline() const { return Deadline::in(timeout_ms_); }

  struct Tap {
    IfName device;
    unique_fd fd;
    std::string text;  // its explanation
  };
  // `4 tuntap up [GATE]`. UMLNET_REFUSED, UMLNET_TIMEOUT, UMLNET_PROTOCOL, UMLNET_NO_HELPER, UMLNET_SYSTEM.
  Outcome<Tap> tuntap_up(std::optional<Ipv4> gateway) const;

  // `4 add|del DEV ADDR NETMASK`: its explanation. Errors as above.
  Outcome<std::string> change_address(AddressChange change, const IfName& device, const GuestAddress& address) const;

 private:
  Helper(std::string path, int timeout_ms) : path_(std::move(path)), timeout_ms_(timeout_ms) {}
  std::string path_;
  int timeout_ms_;
};

// "add 10.99.0.1 to tap0", for messages.
std::string in_words(AddressChange change, const IfName& device, const GuestAddress& address);

}  // namespace umlnet::client
