// What the recorder can open once its filter is in force. The filter compares addresses, so each path, and how it is
// opened, is one object in memory that nobody can write.
#pragma once

#include <linux/openat2.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "policy/location.h"

namespace umlnet {

template <std::size_t kSize>
struct PinnedPath {
  std::array<char, kSize> bytes = {};
  explicit consteval PinnedPath(std::string_view path) { path.copy(bytes.data(), kSize - 1); }
  const char* get() const { return bytes.data(); }
};
constexpr std::size_t size_of_path(std::string_view path) { return path.size() + 1; }

// Their addresses share the upper half.
constexpr std::size_t kPinnedAlignment = 4096;
struct alignas(kPinnedAlignment) Pinned {
  PinnedPath<size_of_path("/dev/net/tun")> tun;
  PinnedPath<size_of_path(policy::kAuditLog)> log;
  PinnedPath<size_of_path(policy::kPolicyRoot)> policy_root;
  PinnedPath<size_of_path(policy::kPolicyDirectory)> policy_directory;
  open_how tun_how, log_how;
  open_how root_how;       // of policy_root, which need not be readable: what is wanted of it has one name
  open_how directory_how;  // of policy_directory
  open_how file_how;       // of a file of the policy, in the working directory
};
static_assert(sizeof(Pinned) == kPinnedAlignment);
extern const Pinned kPinned;

// openat2(2); none with errno where that fails. Both are parts of kPinned, but for the name of a file of the policy.
unique_fd open_pinned(const char* path, const open_how& how);

struct RecorderPowers {
  bool opens_tun;
  bool reads_policy;  // there is a directory for it, or without one /dev/net
  bool has_counters;  // fd_number::kCounters, which it locks, and without them the log
  bool has_journal;   // fd_number::kJournal
};

// Enters one of the recorder's filters (filters.h). As filters::enter().
Result<void> enter_recorder_filter(const RecorderPowers& powers);

}  // namespace umlnet
