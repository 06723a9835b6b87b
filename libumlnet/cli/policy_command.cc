#include "libumlnet/cli/policy_command.h"

#include <sysexits.h>

#include <cstdio>
#include <string_view>
#include <utility>

#include "libumlnet/cli/subcommand.h"

namespace umlnet::cli {
namespace {

constexpr char kHelp[] =
    R"(Usage: umlnet policy check [OPTION...] [FILE...]
       umlnet policy explain [OPTION...] OPERATION [OPERATION-OPTION...]

check    says what is wrong with the policy, or with FILEs that are to become
         one, and warns of what can hardly be meant
explain  says how uml_net would decide a request and why, rule by rule

Both ask the code that uml_net itself decides with. Neither needs privilege
where the files can be read. umlnet policy check --help and umlnet policy
explain --help tell more; umlnet-policy(5) describes the policy.
)";

int policy_main(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "check") return policy_check_main(argc - 1, argv + 1);
  if (word == "explain") return policy_explain_main(argc - 1, argv + 1);
  if (word == "--help" || word == "-h") {
    std::fputs(kHelp, stdout);
    return EX_OK;
  }
  std::fputs(kHelp, stderr);
  return EX_USAGE;
}

}  // namespace

const Subcommand kPolicy = {"policy", "check the policy, and explain its decisions", kHelp, policy_main};

}  // namespace umlnet::cli
