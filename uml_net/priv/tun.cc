#include "uml_net/priv/tun.h"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace umlnet::priv {
namespace {

ifreq request_for(const std::string& name, const TapKind& kind, int more) {
  ifreq request{};
  int flags = IFF_TAP | IFF_NO_PI | more;
  if (kind.frames != TapFrames::bare) flags |= IFF_VNET_HDR;
  if (kind.several_queues) flags |= IFF_MULTI_QUEUE;
  // As the field's type has it: IFF_TUN_EXCL is the sign bit of a short.
  request.ifr_flags = static_cast<short>(flags);
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

}  // namespace

const std::array<std::uint32_t, 5> kTunRequests = {TUNSETIFF, TUNSETOWNER, TUNSETPERSIST, TUNSETOFFLOAD, SIOCGIFHWADDR};
const std::array<std::uint32_t, 2> kDeviceRequests = {SIOCGIFINDEX, SIOCGIFMTU};

Result<IfName> attach_new_tap(int tun, uid_t owner, const std::optional<IfName>& name, const TapKind& kind) {
  ifreq request = request_for(name ? name->str() : "tap%d", kind, IFF_TUN_EXCL);
  if (::ioctl(tun, TUNSETIFF, &request) != 0) return fail_errno(Code::kernel, errno, "cannot make a TAP device");
  if (::ioctl(tun, TUNSETOWNER, static_cast<unsigned long>(owner)) != 0)
    return fail_errno(Code::kernel, errno, "cannot make uid " + std::to_string(owner) + " the owner of the TAP device");
  // A kernel that cannot leave it to others finishes frames itself.
  if (kind.frames == TapFrames::unfinished)
    ::ioctl(tun, TUNSETOFFLOAD, static_cast<unsigned long>(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN));
  const auto given = IfName::parse(std::string_view(request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ)));
  if (!given) return fail(Code::bug, "the kernel gave the TAP device a name that is none");
  return *given;
}

Result<void> attach_queue(int tun, const IfName& name, const TapKind& kind) {
  ifreq request = request_for(name.str(), kind, 0);
  if (::ioctl(tun, TUNSETIFF, &request) != 0)
    return fail_errno(Code::kernel, errno, "cannot add a queue to the TAP device " + name.str());
  return {};
}

Result<NewDevice> look_at_new_tap(int tun, int socket, const IfName& name) {
  ifreq index{}, mac{}, mtu{};
  for (ifreq* request : {&index, &mac, &mtu}) name.str().copy(request->ifr_name, IFNAMSIZ - 1);
  if (::ioctl(socket, SIOCGIFINDEX, &index) != 0 || ::ioctl(tun, SIOCGIFHWADDR, &mac) != 0 ||
      ::ioctl(socket, SIOCGIFMTU, &mtu) != 0)
    return fail_errno(Code::kernel, errno, "cannot find the new device " + name.str());
  std::array<std::uint8_t, 6> bytes{};
  std::memcpy(bytes.data(), mac.ifr_hwaddr.sa_data, bytes.size());
  return NewDevice{index.ifr_ifindex, MacAddress(bytes), static_cast<unsigned>(mtu.ifr_mtu)};
}

Result<void> set_persistent(int tun, bool on) {
  if (::ioctl(tun, TUNSETPERSIST, on ? 1UL : 0UL) != 0)
    return fail_errno(Code::kernel, errno,
                      on ? "cannot make the TAP device persistent" : "cannot undo its persistence");
  return {};
}

}  // namespace umlnet::priv
