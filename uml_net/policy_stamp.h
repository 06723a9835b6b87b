// Whether the files of the policy are still those that they were, for a session that began with them.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <string_view>
#include <vector>

#include "libumlnet/core/seccomp_filter.h"
#include "libumlnet/core/unique_fd.h"
#include "policy/location.h"

namespace umlnet {

inline constexpr std::array kPolicyDirectories = {policy::kPolicyRoot, policy::kPolicyDirectory};

// Whether what has that name in kPolicyDirectories[directory] is part of the policy, the directory of drop-ins
// included. What an editor puts beside a file as soon as somebody looks at it is none.
bool is_of_the_policy(std::size_t directory, std::string_view name);

class PolicyStamp {
 public:
  // Of the files as they are now, which it holds by descriptors that give no access to them (O_PATH). It needs to be
  // allowed to look into their directories. The kernel's error number where it is not, and where there are no
  // descriptors left.
  static std::expected<PolicyStamp, int> take();

  // False once one of them was changed, renamed or deleted, another was made, or one of the directories was put in
  // another's place or is somebody else's. The kernel's error number where there is no telling.
  std::expected<bool, int> is_current() const;

  // What is_current() asks of the kernel: two directories, by their address in memory, read and closed; and fstat.
  static void allow(SeccompFilter& filter);

 private:
  // A number for the names and what lies there, in whatever order the kernel tells them.
  struct Listing {
    std::uint64_t sum = 0;
    std::size_t entries = 0;
    bool operator==(const Listing&) const = default;
  };
  // Calls `each` for every name, while it returns 0; another number of its is the error.
  using Each = std::function<int(const char* directory, const char* name)>;
  static std::expected<Listing, int> list(const Each& each);

  struct File {
    unique_fd fd;
    struct stat status;
  };
  Listing listing_;
  std::vector<File> files_;
};

}  // namespace umlnet
