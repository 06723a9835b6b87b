// umlnet: networks for virtual machines, on the command line. Each subcommand has a file of its name.
#include <sysexits.h>

#include <cstdio>
#include <exception>
#include <string_view>

#include "libumlnet/cli/subcommand.h"
#include "umlnet/umlnet.h"

using namespace umlnet::cli;

namespace {

constexpr const Subcommand* kSubcommands[] = {&kRun, &kPump, &kRemove, &kLs, &kLog, &kPolicy, &kDoctor};

int usage(std::FILE* to) {
  std::fputs("Usage: umlnet SUBCOMMAND ...\n\n", to);
  for (const auto* subcommand : kSubcommands) std::fprintf(to, "  %-8s %s\n", subcommand->name, subcommand->summary);
  std::fputs(
      "\n"
      "A guest on the network, and gone without a trace when it ends:\n"
      "\n"
      "  umlnet run --gateway 10.99.0.254 --address 10.99.0.1 -- \\\n"
      "    linux.uml mem=64M initrd=initrd.gz vec0:transport=fd,fd={fd},vec=0\n"
      "  umlnet run --gateway 10.99.0.254 --address 10.99.0.1 -- \\\n"
      "    qemu-system-x86_64 disk.img -netdev tap,id=n0,fd={fd} -device virtio-net-pci,netdev=n0\n"
      "\n"
      "umlnet help SUBCOMMAND tells more, with examples; umlnet(1) tells all. umlnet --version\n",
      to);
  return to == stdout ? EX_OK : EX_USAGE;
}

const Subcommand* find(std::string_view name) {
  for (const auto* subcommand : kSubcommands)
    if (name == subcommand->name) return subcommand;
  std::fprintf(stderr, "umlnet: there is no subcommand \"%.*s\"\n\n", static_cast<int>(name.size()), name.data());
  return nullptr;
}

int dispatch(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word.empty()) return usage(stderr);
  if (word == "--help" || word == "-h" || (word == "help" && argc == 2)) return usage(stdout);
  if (word == "--version" || word == "-V") {
    std::printf("umlnet %s, libumlnet %s\n", UMLNET_VERSION, umlnet_version());
    return EX_OK;
  }
  const bool help = word == "help";
  const auto* subcommand = find(help ? argv[2] : word);
  if (subcommand == nullptr) return usage(stderr);
  if (!help) return subcommand->main(argc - 1, argv + 1);
  std::fputs(subcommand->help, stdout);
  return EX_OK;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int status = dispatch(argc, argv);
    if (std::fflush(stdout) == 0) return status;
    std::fputs("umlnet: cannot write to stdout\n", stderr);
    return status != 0 ? status : EX_IOERR;
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "umlnet: %s\n", exception.what());
    return EX_SOFTWARE;
  }
}
