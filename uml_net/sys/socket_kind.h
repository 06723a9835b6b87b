// What kind of thing a file descriptor of the caller's is.
#pragma once

namespace umlnet {

struct FdKind {
  bool open = false;
  bool fifo = false;
  int socket_domain = 0;  // AF_*; 0 where it is no socket
  int socket_type = 0;    // SOCK_*
  bool connected = false;
  bool writable = false;  // opened for writing

  bool is_connected_unix(int type) const;
};

FdKind kind_of(int fd);

}  // namespace umlnet
