#include "uml_net/priv/tun.h"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace umlnet::priv {

const std::array<unsigned long, 2> kTunRequests = {TUNSETIFF, TUNSETOWNER};

Result<IfName> attach_new_tap(int tun, uid_t owner) {
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strcpy(request.ifr_name, "tap%d");
  if (::ioctl(tun, TUNSETIFF, &request) != 0) return fail_errno(Code::kernel, errno, "cannot make a TAP device");
  if (::ioctl(tun, TUNSETOWNER, static_cast<unsigned long>(owner)) != 0)
    return fail_errno(Code::kernel, errno, "cannot make uid " + std::to_string(owner) + " the owner of the TAP device");
  const auto name = IfName::parse(std::string_view(request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ)));
  if (!name) return fail(Code::bug, "the kernel gave the TAP device a name that is none");
  return *name;
}

}  // namespace umlnet::priv
