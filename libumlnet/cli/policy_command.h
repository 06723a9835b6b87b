// `umlnet policy`: its two subcommands.
#pragma once

#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/error.h"

namespace umlnet::cli {

// With argv[0] as their names; the exit status.
int policy_check_main(int argc, char** argv);
int policy_explain_main(int argc, char** argv);

extern const char kPolicyCheckHelp[];
extern const char kPolicyExplainHelp[];

}  // namespace umlnet::cli
