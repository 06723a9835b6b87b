// What is right in a policy and yet hardly meant: rules that can never decide, names that stand for nobody, ranges that
// hold the host's own addresses. Pure; the helper acts on none of it.
#pragma once

#include <string>
#include <vector>

#include "libumlnet/cli/memberships.h"
#include "policy/host_state.h"
#include "policy/policy.h"

namespace umlnet::cli {

struct PolicyWarning {
  std::string kind;  // for scripts: "never-decides", "nobody", ...
  std::string rule;
  std::string key;   // empty: of the rule as a whole
  std::string item;  // the item of the key's list, as it is written; empty: of the key as a whole
  std::string text;
};

// In the order of the rules. Without `host`, what depends on the host's devices and addresses is left out.
//
// "Never" errs on the side of silence: a rule that only several others together leave nothing to decide is passed over.
std::vector<PolicyWarning> review(const policy::Policy& policy, const Memberships& memberships,
                                  const policy::HostState* host);

}  // namespace umlnet::cli
