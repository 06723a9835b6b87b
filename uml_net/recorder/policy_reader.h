// The files of the policy as they are now, for a process whose seccomp filter lets it open no others.
#pragma once

#include <array>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "policy/loader/load.h"
#include "uml_net/recorder/pinned.h"

namespace umlnet {

inline constexpr std::array kPolicyDirectories = {kPinned.policy_root.bytes.data(),
                                                  kPinned.policy_directory.bytes.data()};

// To be called before the filter is entered, which allows files beneath the working directory: makes that one in which
// there is nothing to read but the policy, or /dev/net where there is no policy. False with errno where there is
// neither.
bool enter_policy_directory();

// Calls `each` with the path and the descriptor of each file of the policy that is there now, in the order in which
// they count, until it returns false; with the kernel's error number in place of a descriptor where a file cannot be
// opened. By path, from "/" on, each time: so what was mounted meanwhile is seen. The result is 0, or an error number
// where one of the directories cannot be read; EPERM where it is not root's, or where group or others may write to it.
using EachPolicyFile = std::function<bool(const std::string& path, std::expected<unique_fd, int> file)>;
int for_each_policy_file(const EachPolicyFile& each);

// Whether these are the files of the policy: the same names, each owned by root and writable by nobody else, and the
// same bytes. False also where there is no telling. When they were written does not matter.
bool is_policy(std::span<const policy::PolicyText> texts);

struct PolicyFile {
  std::string path;  // empty: there are not so many
  unique_fd fd;      // open for reading; whether the file is to be believed is for its reader to check
};
// The file of that number, from 0 on. Code::bad_policy where it cannot be opened.
Result<PolicyFile> open_policy_file(unsigned number);

}  // namespace umlnet
