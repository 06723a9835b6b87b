// What uml_net answers in its native protocol: one JSON object a message. It comes from a more privileged program, and
// is believed no further than its form: every size is bounded, every value is of the kind that its place asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ip_address.h"
#include "libumlnet/core/mac_address.h"

namespace umlnet::client {

inline constexpr std::size_t kMaxNativeReply = 65'536;  // bytes

// The device that `open` has made. Texts are of printable ASCII.
struct NativeDevice {
  struct Guest {
    IpRange address;                     // or network
    std::vector<std::string> published;  // the host's devices on which it is published
  };

  std::string id;  // of the request, as in the audit log
  IfName device;
  unsigned ifindex;
  MacAddress mac;  // of the host's side
  unsigned mtu;
  std::vector<IpInterface> addresses;
  std::vector<Guest> guests;
  std::optional<std::string> bridge;
  bool isolated = false;
  unsigned queues = 1;
  bool virtio_headers = false;
  bool netns = false;
  bool persistent = false;
  bool sealed = false;
  bool anti_spoof = false;
  unsigned fds;  // that came with the message
  std::vector<std::string> notes;
};

struct NativeRemoval {
  std::string id;
  std::string device;
  std::vector<std::string> notes;
};

// A session has begun.
struct NativeWelcome {
  std::string id;
  std::vector<std::string> notes;
};

// A session took the new policy.
struct NativeReload {
  std::string id;
  std::vector<std::string> notes;
};

// An Error is a refusal: nothing was done. Its `what` says what `errnum` means already.
using NativeReply = std::variant<NativeDevice, NativeRemoval, NativeWelcome, NativeReload, Error>;

// Keys that are not known are passed over: a later helper may have more to say. Code::reply says what is wrong.
Result<NativeReply> parse_native_reply(std::string_view bytes);

// What was made, in plain lines that each end in newline: "tap7 up with 10.99.0.254/24", and the helper's notes.
std::string in_words(const NativeDevice& device);

}  // namespace umlnet::client
