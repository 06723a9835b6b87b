// umlnet remove: deletes devices of the caller's that uml_net has made, persistent ones for the most part.
#include <getopt.h>
#include <sysexits.h>

#include <cstdio>

#include "libumlnet/cli/helper_options.h"
#include "libumlnet/cli/option_table.h"
#include "libumlnet/cli/subcommand.h"

namespace umlnet::cli {
namespace {

constexpr char kHelp[] =
    R"(Usage: umlnet remove [OPTION...] DEVICE...

Deletes devices that uml_net has made for you, whoever holds them. It is the
persistent ones that need it: all others go with the last that holds them.

  umlnet run --persist --device tap7 --guest 10.99.0.1 -- \
    linux.uml mem=64M initrd=initrd.gz eth0=tuntap,tap7
  umlnet remove tap7

Options:
  -q, --quiet                say nothing that is not an error
  -t, --timeout SECONDS      for each call of uml_net (default 10)
      --helper PATH          uml_net, where it is not where it was installed
  -h, --help                 this text

Exit status: 0 where all are gone; else of the first that is not: 64 usage, 65 no
such name, 66 no such device of yours, 69 no helper, 71 the kernel failed, 75
timeout, 76 protocol; or what uml_net(8) exits with.
)";

constexpr option kLong[] = {{"help", no_argument, nullptr, 'h'}};

int remove_main(int argc, char** argv) {
  HelperOptions options;
  const auto table = option_table({kLong, HelperOptions::table()});
  for (int letter = 0; (letter = ::getopt_long(argc, argv, ":qt:h", table.data(), nullptr)) != -1;) {
    const auto taken = taken_by(letter, ::optarg != nullptr ? ::optarg : "", options);
    if (!taken) return tell("remove", taken.error());
    if (*taken) continue;
    if (letter == 'h') {
      std::fputs(kHelp, stdout);
      return EX_OK;
    }
    return tell("remove", bad_option(letter, argv).error());
  }
  if (::optind == argc) return tell("remove", misuse("no device is named").error());
  int status = EX_OK;
  for (int i = ::optind; i < argc; ++i) {
    umlnet_error error;
    const umlnet_options for_library = options.for_library();
    if (umlnet_device_remove(argv[i], &for_library, &error) == UMLNET_OK) continue;
    const int failed = tell("remove", trouble(error).error());
    if (status == EX_OK) status = failed;
  }
  return status;
}

}  // namespace

const Subcommand kRemove = {"remove", "delete devices of yours that stayed", kHelp, remove_main};

}  // namespace umlnet::cli
