#include "uml_net/socket_kind.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace umlnet {

bool FdKind::is_connected_unix(int type) const { return socket_domain == AF_UNIX && socket_type == type && connected; }

FdKind kind_of(int fd) {
  FdKind kind;
  struct stat status{};
  if (::fstat(fd, &status) != 0) return kind;
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
