// The seccomp filter of the stage that changes the host: the only stage in which a capability is ever in effect.
#pragma once

#include "libumlnet/core/seccomp_filter.h"

namespace umlnet::priv {

// The fds that the stage works with. -1 where there is none.
struct StageFds {
  int tun;        // /dev/net/tun: the tun ioctls
  int rtnetlink;  // requests and answers
  int reply;      // the caller's: one message
  int audit;      // the audit log: whole lines
};

// What is allowed: memory, time and the end of the process; capset; the two tun ioctls on `tun`; datagrams on
// `rtnetlink`; the reply on `reply`; lines on `audit` and on stderr. No open, no socket, no execve, no fork, no other
// ioctl, no file system.
SeccompFilter stage_filter(const StageFds& fds);

}  // namespace umlnet::priv
