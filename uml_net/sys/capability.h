// The process's capabilities: which it keeps, and for how long one of them is in effect.
#pragma once

#include <utility>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::priv {

// Whether the process could put CAP_NET_ADMIN into effect.
bool has_net_admin();

// The first act of the program: of what the installation gave, CAP_NET_ADMIN stays permitted, and CAP_SETPCAP for
// empty_bounding_set(); nothing is in effect. A set-user-ID program keeps the file access of its effective uid, which
// needs no capability. CAP_NET_RAW stays permitted where it `keeps_net_raw`, for open_packet_socket(), to be called
// next.
Result<void> clear_effective_caps(bool keeps_net_raw);

// An AF_PACKET SOCK_RAW socket that receives nothing, close-on-exec, owned by the caller of this. EPERM where the
// installation has no CAP_NET_RAW. That capability is not permitted any more when this returns. Closing the socket
// takes the kernel some 15 ms.
Result<unique_fd> open_packet_socket();

// Takes every capability out of the bounding set that may be taken out (needs CAP_SETPCAP permitted; without it the set
// stays as it is, and since nothing is executed ever again, it does not matter). Only CAP_NET_ADMIN stays permitted.
void empty_bounding_set();

// To be called around the change of identity, which would otherwise empty the permitted set.
Result<void> keep_permitted_over_setuid(bool keep);

// From here on CAP_NET_ADMIN at the most is permitted, nothing is in effect or inheritable, no ambient capability is
// left. Verified by reading it back. True where CAP_NET_ADMIN is there.
Result<bool> keep_only_net_admin();

// Nothing permitted any more: for the end of the work.
void drop_net_admin();

// CAP_NET_ADMIN is in effect for as long as this lives. If it cannot be taken out of effect again the process aborts.
class ScopedNetAdmin {
 public:
  static Result<ScopedNetAdmin> raise();
  ScopedNetAdmin(ScopedNetAdmin&& other) noexcept : active_(std::exchange(other.active_, false)) {}
  ScopedNetAdmin& operator=(ScopedNetAdmin&&) = delete;
  ~ScopedNetAdmin();

 private:
  ScopedNetAdmin() = default;
  bool active_ = true;
};

}  // namespace umlnet::priv
