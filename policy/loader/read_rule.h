// One rule, from JSON to a value: every key that umlnet-policy(5) gives a rule, and none besides.
#pragma once

#include "policy/loader/accounts.h"
#include "policy/loader/reading.h"
#include "policy/policy.h"

namespace umlnet::policy {

// Names of users and groups become ids by `accounts`; see load().
Result<Rule> read_rule(const JsonValue& value, const Accounts& accounts);

}  // namespace umlnet::policy
