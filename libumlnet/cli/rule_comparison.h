// What two rules of a policy have to do with each other, as far as their text tells.
#pragma once

#include <optional>
#include <string>

#include "libumlnet/core/request.h"
#include "policy/policy.h"

namespace umlnet::cli {

// Whether the principal is a number, everybody, or a name that was found.
bool stands_for_somebody(const policy::Principal& one);

// Whether `wide` speaks of every caller of whom `narrow` speaks.
bool speaks_of_all(const policy::Rule& wide, const policy::Rule& narrow);

// Why an allow rule grants no request for `operation`, whatever the other rules are.
std::optional<std::string> why_inert(const policy::Rule& rule, Operation operation);

// Whether an allow rule that stands earlier grants all that `later` grants of `operation`, to the same callers, and as
// much of it.
bool hides(const policy::Rule& earlier, const policy::Rule& later, Operation operation);

// Whether a deny rule matches all that `rule` grants of `operation`.
bool denies_all(const policy::Rule& deny, const policy::Rule& rule, Operation operation);

// Where the addresses of a deny rule are, and what they are there.
using AddressKey = std::optional<std::vector<IpRange>> policy::Rule::*;

// The first operation by which an allow rule grants an address of `range` under `key`, for that range is a part of what
// it lists, and no deny rule of `all` denies that.
std::optional<Operation> grants_inside(const policy::Rule& rule, AddressKey key, const IpRange& range,
                                       const policy::Policy& all);

}  // namespace umlnet::cli
