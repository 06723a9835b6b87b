// The files that a decision rests on, as they lie on the disk: the policy and the accounts, each believed only if
// nobody but root could have written it (policy/files/trusted_file.h). The one place of the library of this folder that
// reads files.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "libumlnet/core/error.h"
#include "policy/files/trusted_file.h"
#include "policy/loader/accounts.h"
#include "policy/loader/load.h"

namespace umlnet::policy {

inline constexpr const char* kPasswdFile = "/etc/passwd";
inline constexpr const char* kGroupFile = "/etc/group";

// kPolicyFile and then the *.json of kPolicyDirectory, in the order in which they count. Empty: there is no policy
// file.
// `places` is what was opened on the way, for what else is to be read. `keep` gets each file that was read, and what
// fstat(2) said of it then.
using KeepFile = std::function<void(unique_fd file, const struct stat& status)>;
Result<std::vector<PolicyText>> read_policy_files(TrustedPlaces& places, const KeepFile& keep = {});

// One file of the policy by its descriptor (borrowed), believed and read as those above. What it asks of the kernel is
// fstat(2) and pread(2).
Result<PolicyText> read_policy_file(int fd, const std::string& path);

// The text of kPasswdFile or kGroupFile; empty where it is not there.
Result<std::string> read_account_file(const std::string& path);

// Of both.
Result<Accounts> read_accounts(TrustedPlaces& places);

}  // namespace umlnet::policy
