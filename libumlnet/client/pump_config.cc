#include "libumlnet/client/pump_config.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "libumlnet/client/virtio_net_header.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::client {
namespace {

std::optional<int> socket_option(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) return std::nullopt;
  return value;
}

bool is_connected(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

// A queue of /dev/net/tun that belongs to a device. Whether that is a TAP, and what goes before its frames, only an
// ioctl could tell; the first frame does.
const char* wrong_with_tap(int fd) {
  constexpr unsigned kMisc = 10, kTun = 200;  // Linux, Documentation/admin-guide/devices.txt
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(kMisc, kTun))
    return "is not of /dev/net/tun";
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  if (::poll(&poll, 1, 0) < 0 || (poll.revents & POLLERR) != 0) return "is not tied to a device (TUNSETIFF)";
  return nullptr;
}

const char* wrong_with_socket(int fd, int type) {
  if (socket_option(fd, SO_TYPE) != type)
    return type == SOCK_STREAM ? "is not a stream socket" : "is not a datagram socket";
  return is_connected(fd) ? nullptr : "is not connected";
}

const char* wrong_with_packets(int fd) {
  if (socket_option(fd, SO_DOMAIN) == AF_UNIX && socket_option(fd, SO_TYPE) == SOCK_SEQPACKET)
    return wrong_with_socket(fd, SOCK_SEQPACKET);
  return wrong_with_socket(fd, SOCK_DGRAM);
}

bool is_name(const EndConfig& end) {
  return std::memchr(end.name, '\0', sizeof end.name) != nullptr && is_printable(end.called());
}

const char* wrong_with(const EndConfig& end) {
  const bool has_header_size =
      end.vnet_hdr == VirtioNetHeader::kSize || end.vnet_hdr == VirtioNetHeader::kSizeWithBuffers;
  if (end.vnet_hdr != 0 && !has_header_size) return "its vnet_hdr is none of 0, 10 and 12";
  if ((end.offloads & ~unsigned{UMLNET_OFFLOAD_ALL}) != 0) return "its offloads have bits that are not known";
  if (end.offloads != 0 && end.vnet_hdr == 0) return "it has offloads without vnet_hdr";
  if (!is_name(end)) return "its name is not of printable ASCII, or longer than 31 bytes";
  switch (end.framing) {
    case UMLNET_TAP: return wrong_with_tap(end.fd);
    case UMLNET_ETHERTAP:
      if (end.vnet_hdr != 0) return "ethertap has no vnet_hdr";
      if (socket_option(end.fd, SO_DOMAIN) != AF_UNIX) return "is not an AF_UNIX socket";
      return wrong_with_socket(end.fd, SOCK_DGRAM);
    case UMLNET_STREAM: return wrong_with_socket(end.fd, SOCK_STREAM);
    case UMLNET_DGRAM: return wrong_with_packets(end.fd);
    case UMLNET_CALLBACK: return end.vnet_hdr != 0 ? "callbacks have no vnet_hdr" : nullptr;
    default: return "its framing is not known";
  }
}

Outcome<void> check_end(const EndConfig& end, const char* which) {
  const char* wrong = wrong_with(end);
  if (wrong == nullptr) return {};
  const std::string fd = std::string_view(wrong).starts_with("is ") ? "fd " + std::to_string(end.fd) + " " : "";
  return failed(UMLNET_INVALID, std::string("end ") + which + " of the pump: " + fd + wrong);
}

}  // namespace

CaptureKind capture_kind_of(int fd) {
  struct stat status{};
  if (const int flags = ::fcntl(fd, F_GETFL); flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return CaptureKind::none;
  if (::fstat(fd, &status) != 0) return CaptureKind::none;
  if (S_ISREG(status.st_mode)) return CaptureKind::file;
  if (S_ISFIFO(status.st_mode)) return CaptureKind::pipe;
  return socket_option(fd, SO_TYPE) == SOCK_STREAM ? CaptureKind::socket : CaptureKind::none;
}

Outcome<void> check_config(const PumpConfig& config) {
  if (auto checked = check_end(config.a, "a"); !checked) return checked;
  if (auto checked = check_end(config.b, "b"); !checked) return checked;
  if (config.a.fd == config.b.fd && config.a.fd >= 0)
    return failed(UMLNET_INVALID, "both ends of the pump are fd " + std::to_string(config.a.fd));
  if (config.capture_fd < 0) {
    if (config.capture_kind != CaptureKind::none) return failed(UMLNET_INVALID, "the capture has no fd");
    return {};
  }
  if (config.capture_fd == config.a.fd || config.capture_fd == config.b.fd)
    return failed(UMLNET_INVALID, "the capture's fd is an end of the pump");
  if (config.capture_kind == CaptureKind::none || config.capture_kind != capture_kind_of(config.capture_fd))
    return failed(UMLNET_INVALID,
                  "the capture's fd " + std::to_string(config.capture_fd) + " is none of file, pipe and stream socket");
  return {};
}

}  // namespace umlnet::client
