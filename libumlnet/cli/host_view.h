// What `umlnet doctor` can see of a host. An interface, so that its checks are tested against hosts made of values.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/cli/policy_input.h"
#include "libumlnet/core/error.h"
#include "policy/caller.h"
#include "policy/host_state.h"
#include "policy/policy.h"

namespace umlnet::cli {

// Of the file itself, not of what a symbolic link leads to.
struct FileFacts {
  mode_t mode = 0;  // with the type
  uid_t uid = 0;
  gid_t gid = 0;
  nlink_t links = 1;
  dev_t device = 0;  // which one, of a device
};

struct FilesystemFacts {
  bool nosuid = false;
  bool read_only = false;
  std::uint64_t free = 0;  // bytes that root can still write
};

struct ProgramOutput {
  int status = 0;  // 128 + the number of the signal that killed it
  std::string out;
  std::string err;
};

struct PolicyFacts {
  policy::Policy policy;
  std::size_t warnings = 0;  // of review()
};

class HostView {
 public:
  HostView() = default;
  HostView(const HostView&) = delete;
  HostView& operator=(const HostView&) = delete;
  virtual ~HostView() = default;

  // Who looks, with the groups that the kernel knows of.
  virtual policy::Caller viewer() const = 0;
  virtual Result<KnownAccounts> accounts() const = 0;

  virtual Result<FileFacts> look_at(const std::string& path) const = 0;
  virtual Result<FilesystemFacts> filesystem_of(const std::string& path) const = 0;
  // The value of the extended attribute security.capability; empty where there is none.
  virtual std::string capability_attribute(const std::string& path) const = 0;
  virtual bool may_execute(const std::string& path) const = 0;
  // The error number of opening it for reading and writing; 0 where that works.
  virtual int error_of_opening(const std::string& path) const = 0;
  // At most 1 MiB.
  virtual Result<std::string> read(const std::string& path) const = 0;
  // The names in a directory, sorted; none where it is not there.
  virtual std::vector<std::string> list(const std::string& directory) const = 0;
  virtual bool same_file(const std::string& one, const std::string& other) const = 0;

  // Of a program in PATH.
  virtual std::optional<std::string> find_in_path(const std::string& name) const = 0;
  // Of a program in PATH or where administrators' programs lie.
  virtual std::optional<std::string> find_program(const std::string& name) const = 0;
  // Without input, and not for longer than a few seconds.
  virtual Result<ProgramOutput> run(const std::vector<std::string>& words) const = 0;
  // Whether a process is there whose name, as the kernel cuts it to 15 bytes, is that.
  virtual bool is_running(const std::string& name) const = 0;

  // Of the settings, net.ipv4.ip_forward alone.
  virtual Result<policy::HostState> network() const = 0;
  // As the helper reads it.
  virtual Result<PolicyFacts> policy() const = 0;
};

}  // namespace umlnet::cli
