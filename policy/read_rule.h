// One rule, from JSON to a value: every key that umlnet-policy(5) gives a rule, and none besides.
#pragma once

#include "policy/accounts.h"
#include "policy/policy.h"
#include "policy/reading.h"

namespace umlnet::policy {

// Names of users and groups become ids by `accounts`; see load().
Result<Rule> read_rule(const JsonValue& value, const Accounts& accounts);

}  // namespace umlnet::policy
