#include "uml_net/sys/socket_kind.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "libumlnet/core/look_at_fd.h"

namespace umlnet {

bool FdKind::is_connected_unix(int type) const { return socket_domain == AF_UNIX && socket_type == type && connected; }

FdKind kind_of(int fd) {
  FdKind kind;
  struct stat status{};
  if (!look_at_fd(fd, status)) return kind;
  kind.open = true;
  kind.fifo = S_ISFIFO(status.st_mode);
  kind.writable = (::fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
  if (S_ISSOCK(status.st_mode)) {
    socklen_t size = sizeof kind.socket_domain;
    ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &kind.socket_domain, &size);
    size = sizeof kind.socket_type;
    ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind.socket_type, &size);
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    kind.connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0;
  }
  return kind;
}

}  // namespace umlnet
