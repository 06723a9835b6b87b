// The seccomp filter of the stage that changes the host: the only stage in which a capability is ever in effect.
#pragma once

#include <sys/types.h>

#include <optional>

#include "libumlnet/core/seccomp_filter.h"

namespace umlnet::priv {

// What an ethertap session works with besides.
struct SessionFds {
  int signals;  // polled only
  int relay;    // the channel to the relay process
  pid_t relay_pid;
  int watch;  // questions about the data socket's other end; -1 where there are none
};

// The fds that the stage works with. -1 where there is none.
struct StageFds {
  int tun;           // /dev/net/tun: the tun ioctls
  int rtnetlink;     // requests and answers
  int reply;         // the caller's: one message
  int audit;         // the audit log: whole lines, and the caller's lock
  int journal = -1;  // a copy of the lines
  std::optional<SessionFds> session = std::nullopt;
};

inline constexpr int kSessionPollFds = 3;

// What is allowed: memory, time and the end of the process; capset; the two tun ioctls on `tun`; datagrams on
// `rtnetlink`; the reply on `reply`; lines, locks and the repair of a torn line on `audit`; lines on `journal` and on
// stderr; short sleeps. No open, no socket, no execve, no fork, no other ioctl, no file system. For a session also:
// records and answers on `reply`, and to end and wait for the relay process.
SeccompFilter stage_filter(const StageFds& fds);

}  // namespace umlnet::priv
