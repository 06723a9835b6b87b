// What `umlnet policy` and `umlnet doctor` look at: the policy, read as the helper reads it, or files that are to
// become one; and the accounts.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "libumlnet/cli/memberships.h"
#include "libumlnet/core/error.h"
#include "policy/caller.h"
#include "policy/loader/accounts.h"
#include "policy/loader/load.h"

namespace umlnet::cli {

struct KnownAccounts {
  policy::Accounts accounts;
  Memberships memberships;
};

// By the same rules of ownership as the helper's.
Result<KnownAccounts> read_known_accounts();

// The one who runs this, as the kernel sees it; without a name.
policy::Caller this_process();

// The installed policy. Code::bad_policy where the helper, too, would take it for one; of a file that only the helper
// may read, the error number is EACCES.
Result<std::vector<policy::PolicyText>> read_installed_policy();

// A file by anybody and anywhere. `path` in messages is as it was given.
Result<policy::PolicyText> read_draft(const std::string& path);

// Why the helper would not take the file where it lies now, whatever it holds; empty: it would.
std::string why_untrusted(const std::string& path);

// Whether the error says no more than that this user may not look.
bool is_hidden(const Error& error);

}  // namespace umlnet::cli
