// Whether the other end of a datagram socket is still there. Unlike a stream, an AF_UNIX datagram socket does not tell
// its own end: only a send fails, and there may be nothing to send. The kernel's socket diagnostics (sock_diag(7))
// know.
#pragma once

#include <cstdint>
#include <optional>

#include "libumlnet/core/netlink_socket.h"

namespace umlnet::priv {

class PeerWatch {
 public:
  // Watches the peer of `socket`, a connected AF_UNIX socket of this network namespace; it is not needed afterwards.
  // Nothing where the kernel has no diagnostics for AF_UNIX (CONFIG_UNIX_DIAG): then a closed end shows with the next
  // frame only. Its own descriptor gets the number `number`. Needs no privilege.
  static std::optional<PeerWatch> open(int socket, int number);

  int fd() const { return socket_.fd(); }

  // Whether the peer was closed, or shut down for reading or writing.
  bool is_gone();

 private:
  explicit PeerWatch(unique_fd fd) : socket_(std::move(fd)) {}

  struct Answer {
    std::uint32_t peer = 0;     // the inode number of the socket's peer; 0: none, or closed
    std::uint8_t shutdown = 0;  // RCV_SHUTDOWN, SEND_SHUTDOWN
  };
  Result<Answer> ask(std::uint32_t inode);

  NetlinkSocket socket_;
  std::uint32_t peer_ = 0;
};

}  // namespace umlnet::priv
