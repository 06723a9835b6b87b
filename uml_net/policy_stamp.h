// Whether the files of the policy are still those that they were, for a session that began with them.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/seccomp_filter.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

// Whether a file of that name in one of the policy's directories is part of it, or the directory of drop-ins.
bool is_of_the_policy(std::string_view name);

class PolicyStamp {
 public:
  // Of the files as they are now, which it holds by descriptors that give no access to them (O_PATH). It needs to be
  // allowed to look into their directories. Code::kernel where there are no descriptors left.
  static Result<PolicyStamp> take();

  // False once one of them was changed, renamed or deleted, or another was made beside it. What an editor puts there
  // as soon as somebody looks at a file is none.
  bool is_current() const;

  // What is_current() asks of the kernel: two directories, by their address in memory, read and closed; and fstat.
  static void allow(SeccompFilter& filter);

 private:
  using Names = std::vector<std::pair<std::string, ino_t>>;
  static Names list(const char* directory);
  static Names list();

  struct File {
    unique_fd fd;
    timespec changed;
  };
  Names names_;
  std::vector<File> files_;
};

}  // namespace umlnet
