// What a session decides by, and replaces when the policy changes.
#pragma once

#include "policy/loader/accounts.h"
#include "policy/policy.h"

namespace umlnet {

struct SessionInputs {
  policy::Policy& policy;  // that of the RequestContext
  const policy::Accounts& accounts;
};

}  // namespace umlnet
