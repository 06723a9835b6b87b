// What a session needs opened time and again, long after its process became its caller: /dev/net/tun, which may be
// root's alone, and the audit log, which may have been rotated.
#pragma once

#include <optional>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/seccomp_filter.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/assistant.h"

namespace umlnet {

// What that process may do: openat() of two paths, which stand in memory that nobody can write; messages on `channel`;
// fstat, close, exit. Nothing else: no other path, no memory, no process.
SeccompFilter opener_filter(int channel);

class TrustedOpener {
 public:
  // Starts the process, which keeps the file access of the identity that it is started with: to be called before the
  // caller's identity is taken.
  static Result<TrustedOpener> start();

  int channel() const { return process_.channel(); }

  struct Opened {
    std::vector<unique_fd> tuns;   // on /dev/net/tun, not tied to a device
    std::optional<unique_fd> log;  // where another file than `log` lies at the audit log's place
  };
  // Opens /dev/net/tun so many times (64 at the most), and has a look at the audit log, of which `log` (borrowed) is
  // what this process writes to. Code::kernel or Code::audit where one of them cannot be had.
  Result<Opened> open(unsigned tuns, int log);

 private:
  explicit TrustedOpener(Assistant process) : process_(std::move(process)) {}
  Assistant process_;
};

}  // namespace umlnet
