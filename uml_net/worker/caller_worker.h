// The helper's own helper, which is nobody but the caller: what a process without any capability can do, and what the
// filter of the change does not let the privileged one do.
#pragma once

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/worker/worker.h"

namespace umlnet {

class CallerWorker {
 public:
  // Starts the process, which enters filters::kCallerWorker. To be called once this process is its caller, and before
  // its own filter forbids making processes.
  static Result<CallerWorker> start();

  // Takes care of the TAP that `tap` (borrowed) is tied to: a process of its own moves its frames, until the other end
  // of the socket is closed or the device is gone, whether or not this process lives. The result is that other end: an
  // AF_UNIX SOCK_SEQPACKET socket, one Ethernet frame a packet.
  Result<unique_fd> seal(int tap);

  // An rtnetlink socket of the network namespace `netns` (borrowed), whose owning user namespace belongs to this
  // process's uid: in that one the uid has every capability, and CAP_NET_ADMIN here then counts there.
  Result<unique_fd> rtnetlink_in(int netns);

 private:
  explicit CallerWorker(Worker process) : process_(std::move(process)) {}
  Result<unique_fd> ask(char question, int fd, const std::string& doing);
  Worker process_;
};

}  // namespace umlnet
