// What a session needs opened and looked at time and again, long after its process became its caller: /dev/net/tun,
// which may be root's alone, the audit log, which may have been rotated, and the policy, which may have changed.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/seccomp_filter.h"
#include "libumlnet/core/unique_fd.h"
#include "policy/load.h"
#include "uml_net/worker/worker.h"

namespace umlnet {

// What that process may do: open the audit log and, where it `opens_tun`, /dev/net/tun; read the policy
// (allow_policy_reading()); messages on `channel`; fstat, close, exit. Nothing else: no other path, no process.
SeccompFilter opener_filter(int channel, bool opens_tun);

class FileOpener {
 public:
  // Starts the process, which keeps the file access of the identity that it is started with: to be called before the
  // caller's identity is taken.
  // It opens /dev/net/tun later on only for a session of `many` requests. Code::kernel where there is no process to be
  // had.
  static Result<FileOpener> start(bool many);

  int channel() const { return process_.channel(); }

  // From now on these texts are the policy that the session has. Code::kernel where the process is gone.
  Result<void> remember(std::span<const policy::PolicyText> policy);

  struct PolicyFile {
    std::string path;
    unique_fd fd;  // open for reading; whether the file is to be believed is for the caller to check
  };
  // The policy's file of that number as it is now, from 0 on; nothing where there are not so many. Code::bad_policy
  // where it cannot be opened, Code::kernel where the process is gone.
  Result<std::optional<PolicyFile>> policy_file(unsigned number);

  // So many more descriptors than are wanted does open() open, for the requests to come.
  static constexpr unsigned kAhead = 4;

  // Adds to `tuns`, which are open on /dev/net/tun and not tied to a device, until they are `wanted` (64 at the most);
  // looks whether the policy has changed; and has a look at the audit log, of which `log` (borrowed) is what this
  // process writes to: where another file lies in its place, that is the result; where none does, it is waited for as
  // Log::open() does. Code::kernel or Code::audit where one of them cannot be had, and where the process is gone.
  // A session that gets another log moves to it.
  Result<std::optional<unique_fd>> open(std::vector<unique_fd>& tuns, unsigned wanted, int log);

  // Whether the policy at the last open() was another one than the session's. Before the first, it was not.
  bool policy_has_changed() const { return policy_has_changed_; }

 private:
  explicit FileOpener(Worker process) : process_(std::move(process)) {}
  struct Opened {
    std::vector<unique_fd> tuns;
    std::optional<unique_fd> log;
  };
  Result<Opened> ask(unsigned tuns, const struct stat& log);

  Worker process_;
  bool policy_has_changed_ = false;
};

}  // namespace umlnet
