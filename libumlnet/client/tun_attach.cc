#include "libumlnet/client/tun_attach.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "libumlnet/client/off_stdio.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::client {
namespace {

std::string advice(int error, const std::string& device) {
  const std::string make = "ip tuntap add dev " + device + " mode tap user NAME";
  switch (error) {
    case EPERM: return ". It is not there, or not yours: an administrator makes it with: " + make;
    case EBUSY: return ". Another program has it open.";
    case EINVAL: return ". It is no TAP, or one with several queues or another header; make it with: " + make;
    default: return "";
  }
}

}  // namespace

Outcome<unique_fd> attach_tap(const IfName& device, unsigned vnet_hdr) {
  unique_fd fd = off_stdio(unique_fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)));
  if (!fd) {
    auto failure = failed_errno(errno, "cannot open /dev/net/tun", UMLNET_REFUSED);
    if (errno == EACCES) failure.error().message += ". On most hosts its mode is 0666: chmod 0666 /dev/net/tun";
    return failure;
  }
  ifreq request{};
  device.str().copy(static_cast<char*>(request.ifr_name), IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (vnet_hdr != 0 ? IFF_VNET_HDR : 0));
  const std::string doing = "cannot attach to the TAP device " + device.str();
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    const int error = errno;
    auto failure = failed_errno(error, doing, UMLNET_REFUSED);
    failure.error().message += advice(error, device.str());
    return failure;
  }
  // Who may make devices has just made one, where there was none; it goes again with the fd.
  if (::ioctl(fd.get(), TUNGETIFF, &request) != 0 || (request.ifr_flags & IFF_PERSIST) == 0) {
    auto failure = failed_errno(ENODEV, doing, UMLNET_REFUSED);
    failure.error().message += advice(EPERM, device.str());
    return failure;
  }
  // The device keeps what its last holder took unfinished; without a header nobody would know that something is
  // missing.
  if (::ioctl(fd.get(), TUNSETOFFLOAD, 0) != 0) return failed_errno(errno, doing, UMLNET_REFUSED);
  if (int size = static_cast<int>(vnet_hdr); size != 0 && ::ioctl(fd.get(), TUNSETVNETHDRSZ, &size) != 0)
    return failed_errno(errno, doing + " with a virtio-net header of " + std::to_string(size) + " bytes",
                        UMLNET_REFUSED);
  return fd;
}

void take_unfinished_frames(int tap) {
#ifndef TUN_F_USO4
  constexpr unsigned TUN_F_USO4 = 0x20, TUN_F_USO6 = 0x40;
#endif
  constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  // Linux before 6.2 has no UDP segmentation, and refuses what it does not know.
  if (::ioctl(tap, TUNSETOFFLOAD, kTcp | TUN_F_USO4 | TUN_F_USO6) != 0) ::ioctl(tap, TUNSETOFFLOAD, kTcp);
}

}  // namespace umlnet::client

extern "C" umlnet_code umlnet_tap_attach(const char* device, unsigned vnet_hdr, int* fd, umlnet_error* error) {
  using namespace umlnet;
  using namespace umlnet::client;
  return at_border(error, [&]() -> Outcome<void> {
    if (fd == nullptr) return failed(UMLNET_INVALID, "umlnet_tap_attach() wants a place for the descriptor");
    const auto name = IfName::parse(device != nullptr ? device : "");
    if (!name)
      return failed(UMLNET_INVALID, in_quotes(device != nullptr ? device : "") +
                                        " is not a device name (1 to 15 letters, digits and the like)");
    if (vnet_hdr != 0 && vnet_hdr != 10 && vnet_hdr != 12)
      return failed(UMLNET_INVALID, "a virtio-net header has 10 or 12 bytes, or 0 where there is none, and not " +
                                        std::to_string(vnet_hdr));
    auto tap = attach_tap(*name, vnet_hdr);
    if (!tap) return std::unexpected(std::move(tap.error()));
    *fd = tap->release();
    return {};
  });
}
