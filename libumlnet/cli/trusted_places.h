// The files and devices that the helper opens before it becomes its caller.
#pragma once

#include "libumlnet/cli/doctor_check.h"

namespace umlnet::cli {

Finding examine_tun(const Examination& examination);
Finding examine_policy(const Examination& examination);
// Whether the policy has a rule for who asks.
Finding examine_rules(const Examination& examination);
Finding examine_audit_log(const Examination& examination);
// The file beside the log in which refused requests are counted.
Finding examine_refusals(const Examination& examination);
// Journald, where the policy sends it a copy.
Finding examine_journal(const Examination& examination);

}  // namespace umlnet::cli
