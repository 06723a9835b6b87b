#include "uml_net/priv/tun.h"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "libumlnet/core/look_at_fd.h"

namespace umlnet::priv {
namespace {

ifreq request_for(const std::string& name, const TapKind& kind, int more) {
  ifreq request{};
  int flags = IFF_TAP | IFF_NO_PI | more;
  if (kind.virtio_headers) flags |= IFF_VNET_HDR;
  if (kind.several_queues) flags |= IFF_MULTI_QUEUE;
  // As the field's type has it: IFF_TUN_EXCL is the sign bit of a short.
  request.ifr_flags = static_cast<short>(flags);
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

}  // namespace

bool is_tun_device(int fd) {
  constexpr unsigned kMisc = 10, kTun = 200;  // MISC_MAJOR of linux/major.h, TUN_MINOR of linux/miscdevice.h
  struct stat status{};
  return look_at_fd(fd, status) && S_ISCHR(status.st_mode) && status.st_rdev == makedev(kMisc, kTun);
}

Result<IfName> attach_new_tap(int tun, const DeviceOwner& owner, const std::optional<IfName>& name,
                              const TapKind& kind) {
  ifreq request = request_for(name ? name->str() : "tap%d", kind, IFF_TUN_EXCL);
  if (::ioctl(tun, TUNSETIFF, &request) != 0) return fail_errno(Code::kernel, errno, "cannot make a TAP device");
  const bool is_group = owner.kind == DeviceOwner::Kind::group;
  if (::ioctl(tun, is_group ? TUNSETGROUP : TUNSETOWNER, static_cast<unsigned long>(owner.id)) != 0)
    return fail_errno(Code::kernel, errno,
                      std::string("cannot make ") + (is_group ? "group " : "uid ") + std::to_string(owner.id) +
                          " the owner of the TAP device");
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

Result<MacAddress> mac_of_tap(int tun) {
  ifreq request{};
  if (::ioctl(tun, SIOCGIFHWADDR, &request) != 0)
    return fail_errno(Code::kernel, errno, "cannot read the MAC address of the new TAP device");
  std::array<std::uint8_t, 6> bytes{};
  std::memcpy(bytes.data(), request.ifr_hwaddr.sa_data, bytes.size());
  return MacAddress(bytes);
}

Result<void> set_persistent(int tun, bool on) {
  if (::ioctl(tun, TUNSETPERSIST, on ? 1UL : 0UL) != 0)
    return fail_errno(Code::kernel, errno,
                      on ? "cannot make the TAP device persistent" : "cannot undo its persistence");
  return {};
}

}  // namespace umlnet::priv
