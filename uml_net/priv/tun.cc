#include "uml_net/priv/tun.h"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace umlnet::priv {

const std::array<unsigned long, 3> kTunRequests = {TUNSETIFF, TUNSETOWNER, TUNSETOFFLOAD};

Result<IfName> attach_new_tap(int tun, uid_t owner, const std::optional<IfName>& name, TapFrames frames) {
  ifreq request{};
  // As the field's type has it: IFF_TUN_EXCL is the sign bit of a short.
  const int headers = frames == TapFrames::bare ? 0 : IFF_VNET_HDR;
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL | headers);
  const std::string wanted = name ? name->str() : "tap%d";
  wanted.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(tun, TUNSETIFF, &request) != 0) return fail_errno(Code::kernel, errno, "cannot make a TAP device");
  if (::ioctl(tun, TUNSETOWNER, static_cast<unsigned long>(owner)) != 0)
    return fail_errno(Code::kernel, errno, "cannot make uid " + std::to_string(owner) + " the owner of the TAP device");
  // A kernel that cannot leave it to others finishes frames itself.
  if (frames == TapFrames::unfinished)
    ::ioctl(tun, TUNSETOFFLOAD, static_cast<unsigned long>(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN));
  const auto given = IfName::parse(std::string_view(request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ)));
  if (!given) return fail(Code::bug, "the kernel gave the TAP device a name that is none");
  return *given;
}

}  // namespace umlnet::priv
