// The seccomp filter of the stage that changes the host: the only stage in which a capability is ever in effect.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "libumlnet/core/seccomp_filter.h"

namespace umlnet::priv {

// What an ethertap session works with besides.
struct SessionFds {
  int relay;  // the channel to the relay process
  pid_t relay_pid;
  int watch;         // questions about the data socket's other end; -1 where there are none
  int monitor = -1;  // notices of changes of the network
};

// The fds that the stage works with. -1 where there is none.
struct RequestFilterFds {
  std::vector<int> tuns;  // /dev/net/tun: the tun ioctls
  int rtnetlink;          // requests and answers
  int front;              // the channel to the process that talks to the caller
  pid_t front_pid;
  int recorder;  // questions to the process that keeps the audit log
  pid_t recorder_pid;
  int target_namespace = -1;  // rtnetlink in the caller's other network namespace
  int caller_worker = -1;     // questions to the process that makes relays and reaches into namespaces
  int announcer = -1;         // questions to the process that announces addresses on LANs
  std::optional<SessionFds> session = std::nullopt;
  // A session of the native protocol: descriptors come and go, so that what is allowed on TAPs and on rtnetlink sockets
  // is allowed on any.
  bool native_session = false;
};

inline constexpr int kSessionPollFds = 4;
inline constexpr int kNativeSessionPollFds = 3;
// Descriptors that come with a record of a session have numbers from here on, and the session's own have lower ones: a
// number of its own that should be free, and is taken for open, is never one of the caller's.
inline constexpr int kFirstForeignFd = 256;

// What is allowed: memory, time and the end of the process; capset; the tun ioctls on `tuns`; datagrams on `rtnetlink`;
// messages on the channels. No open, no file, no socket, no execve, no fork, no other ioctl, no file system. For an
// ethertap session also: to end and wait for the relay process. For a session of the native protocol also: to give
// descriptors other numbers, and to ask whose a network namespace is.
SeccompFilter request_filter(const RequestFilterFds& fds);

}  // namespace umlnet::priv
