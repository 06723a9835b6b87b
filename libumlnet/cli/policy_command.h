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

// An error of the rooms that the helper shares, as a trouble with the exit status that the helper would have.
std::unexpected<Trouble> trouble_of(const Error& error);

}  // namespace umlnet::cli
