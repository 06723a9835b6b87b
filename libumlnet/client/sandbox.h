// The sandbox of a pump: where the frames of a hostile guest are looked at, there is nothing to be had.
#pragma once

#include <cstddef>
#include <functional>

#include "libumlnet/client/pump_config.h"
#include "libumlnet/client/pump_memory.h"

namespace umlnet::client {

// The open files of a process that pumps.
struct SandboxFds {
  EndConfig a, b;
  int stop = -1;     // an eventfd
  int capture = -1;  // or -1
  CaptureKind capture_kind = CaptureKind::none;
  // To an owner in another process, or both -1: a socket, and its pidfd.
  int channel = -1, owner = -1;

  static constexpr std::size_t kMost = 6;  // that count() can come to
  unsigned count() const { return 3U + (capture >= 0 ? 1 : 0) + (channel >= 0 ? 1 : 0) + (owner >= 0 ? 1 : 0); }
};

// Puts the calling process into the sandbox, for good: all other files closed, handled signals back at their defaults,
// SIGPIPE and SIGXFSZ ignored, no capability in any set (in the bounding set where CAP_SETPCAP was there to empty it),
// no new privileges, not dumpable, resource limits as small as they go, and a seccomp filter that libseccomp makes.
// Needs no privilege. What the filter allows, and with which file:
//   poll      on all of them; with a capture into a pipe or socket also on one
//   read      stop; a TAP (readv where there is a virtio-net header)
//   write     a TAP (also writev where there is a virtio-net header); a capture that is no socket
//   sockets   of the ends: recvfrom, or recvmmsg for datagrams, and sendto, each non-blocking and without address; of
//             channel and capture: sendto
//   the end   exit_group; restart_syscall after a stop; sched_yield; the clock, where the vDSO does not have it
// No memory, no file, no descriptor that comes or goes, no signal, no process, no ioctl. Anything else traps, and
// rt_sigreturn kills at once, so that no handler ever returns.
//
// A forbidden system call is written to `violation`, which must stay where it is, and then the process is killed with
// SIGSYS. What stands in `violation` is the dying process's own word; that it dies is the kernel's doing.
//
// `last`, where there is one, is called when nothing is left to be given up but what makes threads possible: those that
// it starts are in the sandbox as well, once this returns.
//
// UMLNET_STATE where the process has several threads: nothing is done. UMLNET_SANDBOX: half of it may be done.
Outcome<void> enter_sandbox(const SandboxFds& fds, Violation& violation, const std::function<void()>& last = {});

}  // namespace umlnet::client
