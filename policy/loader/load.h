// From the text of policy files to a Policy: strict, and pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "libumlnet/core/error.h"
#include "policy/loader/accounts.h"
#include "policy/policy.h"

namespace umlnet::policy {

inline constexpr std::size_t kMaxFileSize = 65536;  // bytes

struct PolicyText {
  std::string path;
  std::string text;
};

// Reads all files, in order, as one list of rules. An empty span is "no policy at all" and not an error.
//
// Strict: JSON as RFC 8259 has it and nothing after it, no duplicate and no unknown key, no value of another type or
// out of range, no rule name twice (across files too), no nesting deeper than the format has. One bad file is an error
// for all: Code::bad_policy, and a text that names the file, the line, the key and what is wrong.
//
// Names of users and groups become ids by `accounts`. A name that is in no account file matches nobody in an allow
// rule; in a deny rule it is an error, because there it would let somebody through.
Result<Policy> load(std::span<const PolicyText> files, const Accounts& accounts);

}  // namespace umlnet::policy
