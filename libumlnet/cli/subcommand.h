// What `umlnet` can do: one of these for each word behind it.
#pragma once

namespace umlnet::cli {

struct Subcommand {
  const char* name;
  const char* summary;
  const char* help;
  // With argv[0] as its name; the exit status.
  int (*main)(int argc, char** argv);
};

extern const Subcommand kRun;
extern const Subcommand kPump;
extern const Subcommand kRemove;
extern const Subcommand kLs;
extern const Subcommand kLog;
extern const Subcommand kPolicy;
extern const Subcommand kDoctor;

}  // namespace umlnet::cli
