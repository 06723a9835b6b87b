// What a session needs opened and looked at time and again, long after its process became its caller: /dev/net/tun,
// which may be root's alone, the audit log, which may have been rotated, and the policy, which may have changed.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/seccomp_filter.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/assistant.h"
#include "uml_net/file_watch.h"

namespace umlnet {

// What that process may do: openat() of four paths, without /dev/net/tun three, which stand in memory that nobody can
// write, and reading the names in the two that are directories; messages on `channel`; fstat, close, exit. Nothing
// else: no other path, no process.
SeccompFilter opener_filter(int channel, bool opens_tun);

class TrustedOpener {
 public:
  // Starts the process, which keeps the file access of the identity that it is started with: to be called before the
  // caller's identity is taken.
  static Result<TrustedOpener> start();

  int channel() const { return process_.channel(); }

  // To be called once, before anything else: that process takes note of the policy as it is now. For a session of
  // `many` requests it begins a watch, which spares it most questions, and opens /dev/net/tun later on; for another, it
  // will not. Code::kernel where PolicyStamp::take() fails, and where the process is gone.
  Result<FileWatch> begin(bool many);

  // So many more descriptors than are wanted does open() open, for the requests to come.
  static constexpr unsigned kAhead = 4;

  // Adds to `tuns`, which are open on /dev/net/tun and not tied to a device, until they are `wanted` (64 at the most);
  // and has a look at the audit log, of which `log` (borrowed) is what this process writes to: where another file lies
  // in its place, that is the result; where none does, it is waited for as Log::open() does. Code::kernel or
  // Code::audit where one of them cannot be had, where there is no telling whether the policy is still the same, and
  // where the process that opens them is gone. That is asked only where this process cannot do without: it then opens a
  // few more than are wanted, for the next time, and `watch` tells where the log that was the one in its place may be
  // so no more. Whoever gets another one moves to it.
  Result<std::optional<unique_fd>> open(std::vector<unique_fd>& tuns, unsigned wanted, int log, FileWatch& watch);

  // Whether a file of the policy was made, changed, renamed or deleted since begin(), as far as open() asked.
  bool policy_has_changed() const { return policy_has_changed_; }

 private:
  explicit TrustedOpener(Assistant process) : process_(std::move(process)) {}
  struct Opened {
    std::vector<unique_fd> tuns;
    std::optional<unique_fd> log;
  };
  Result<Opened> ask(unsigned tuns, const struct stat& log);

  Assistant process_;
  bool policy_has_changed_ = false;
  bool has_log_in_place_ = false;  // since the last question, by what `watch` said before it
};

}  // namespace umlnet
