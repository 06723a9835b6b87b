// umlnet ls: who holds which device and address of uml_net on this host.
#include <getopt.h>
#include <sysexits.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <optional>
#include <string>

#include "libumlnet/cli/holdings.h"
#include "libumlnet/cli/holdings_dot.h"
#include "libumlnet/cli/holdings_json.h"
#include "libumlnet/cli/holdings_table.h"
#include "libumlnet/cli/network_state.h"
#include "libumlnet/cli/subcommand.h"
#include "libumlnet/cli/tap_holders.h"
#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

constexpr char kHelp[] =
    R"(Usage: umlnet ls [OPTION...]

Shows who holds which device of uml_net, the guests' addresses behind it, the
LANs on which they are published, and what guests that are gone left behind. All
of it is read from the kernel, and everybody may.

  HOLDER   processes that have the device open. Ordinary users see their own,
           root all. With "?" it runs in another network namespace
  GATEWAY  the host's addresses on the device
  RX/TX    bytes from the guest and to it
  SINCE    in local time

  A picture:
    umlnet ls --dot | dot -Tsvg >network.svg
  For programs:
    umlnet ls --json | jq -r '.devices[] | [.device, .user] | @tsv'

  -j, --json   one JSON object
  -d, --dot    a picture, in the language of Graphviz
  -U, --utc    times in UTC
  -h, --help   this text

Exit status: 0, 64 usage, 71 the kernel failed, 75 its state changes too fast.
)";

enum class As { table, json, dot };

struct Options {
  As as = As::table;
  Zone zone = Zone::local;
};

constexpr char kShort[] = ":jdUh";
constexpr option kLong[] = {
    {"json", no_argument, nullptr, 'j'}, {"dot", no_argument, nullptr, 'd'}, {"utc", no_argument, nullptr, 'U'},
    {"help", no_argument, nullptr, 'h'}, {nullptr, 0, nullptr, 0},
};

// Nothing: the help was asked for.
Outcome<std::optional<Options>> parse(int argc, char** argv) {
  Options options;
  for (int letter = 0; (letter = ::getopt_long(argc, argv, kShort, kLong, nullptr)) != -1;) {
    const As before = options.as;
    switch (letter) {
      case 'j': options.as = As::json; break;
      case 'd': options.as = As::dot; break;
      case 'U': options.zone = Zone::utc; break;
      case 'h': return std::nullopt;
      default: return bad_option(letter, argv);
    }
    if (before != As::table && before != options.as) return misuse("--json and --dot at a time");
  }
  if (::optind < argc) return misuse("there is nothing to do with " + in_quotes(argv[::optind]));
  return options;
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

int ls(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) return tell("ls", options.error());
  if (!*options) {
    std::fputs(kHelp, stdout);
    return EX_OK;
  }
  const auto [as, zone] = **options;
  // Holders first: a device that is made meanwhile then has none to show yet, and one that is gone is not shown.
  const auto holders = find_tap_holders();
  const auto state = read_network_state();
  if (!state) return tell("ls", state.error());
  const auto holdings = put_together(*state, holders);
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  const auto text = [&]() -> std::string {
    switch (as) {
      case As::json: return holdings_json(holdings);
      case As::dot:
        return holdings_dot(holdings,
                            "umlnet on " + host_name() + ", " + date_text(now, zone) + " " + clock_text(now, zone) +
                                (zone == Zone::utc ? " UTC" : ""),
                            now, zone);
      case As::table: break;
    }
    return holdings_table(holdings, now, zone);
  }();
  std::fputs(text.c_str(), stdout);
  return EX_OK;
}

}  // namespace

const Subcommand kLs = {"ls", "who holds which device and address on this host", kHelp, ls};

}  // namespace umlnet::cli
