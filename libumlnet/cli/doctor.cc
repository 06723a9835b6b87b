// umlnet doctor: what keeps guests off the network on this host, and how to mend it.
#include <getopt.h>
#include <sysexits.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "libumlnet/cli/doctor_check.h"
#include "libumlnet/cli/subcommand.h"
#include "libumlnet/cli/this_host.h"
#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/json_text.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

constexpr char kHelp[] =
    R"(Usage: umlnet doctor [OPTION...]

Looks at what makes the network of guests fail in practice: the helper and its
privilege, /dev/net/tun, the policy, the audit log, forwarding and the firewall,
programs that take devices over. For each it says what it found and, where
something is wrong, how to mend it. It changes nothing.

Who is not root is told what cannot be seen: sudo umlnet doctor sees all, but
cannot say whether you may start the helper. Do both.

      --helper PATH    uml_net, where it is not where it was installed
      --lan DEV        the host's device to the LAN that guests are to be seen in
  -q, --quiet          only what is not right
  -j, --json           one JSON object instead of lines
  -h, --help           this text

Exit status: 0 nothing is wrong, perhaps with warnings; 1 there is a problem;
64 usage.
)";

constexpr std::array<std::pair<const char*, const char*>, 4> kHealths = {{
    // for people, for scripts; in the order of Health
    {"ok", "ok"},
    {"warning", "warning"},
    {"problem", "problem"},
    {"cannot tell", "cannot-tell"},
}};

const auto& words_of(Health health) { return kHealths.at(static_cast<std::size_t>(health)); }

struct Options {
  std::string helper;
  std::optional<std::string> lan;
  bool quiet = false;
  bool json = false;
};

// Nothing: the help was asked for.
Outcome<std::optional<Options>> parse(int argc, char** argv) {
  enum Long { kHelper = 256, kLan };
  static constexpr option kLong[] = {
      {"helper", required_argument, nullptr, kHelper},
      {"lan", required_argument, nullptr, kLan},
      {"quiet", no_argument, nullptr, 'q'},
      {"json", no_argument, nullptr, 'j'},
      {"help", no_argument, nullptr, 'h'},
      {nullptr, 0, nullptr, 0},
  };
  Options options;
  for (int letter = 0; (letter = ::getopt_long(argc, argv, ":qjh", kLong, nullptr)) != -1;) {
    const std::string value = ::optarg != nullptr ? ::optarg : "";
    switch (letter) {
      case kHelper:
        if (!value.contains('/')) return misuse("--helper " + value + ": it is a path, with a \"/\"");
        options.helper = value;
        break;
      case kLan:
        if (!IfName::parse_existing(value)) return misuse("--lan " + value + ": that is not a device name");
        options.lan = value;
        break;
      case 'q': options.quiet = true; break;
      case 'j': options.json = true; break;
      case 'h': return std::nullopt;
      default: return bad_option(letter, argv);
    }
  }
  if (::optind < argc) return misuse(in_quotes(argv[::optind]) + " is too much");
  return options;
}

// Where the library would find it (libumlnet/client/helper_program.h), and what a symbolic link there leads to.
std::string find_helper(const HostView& host, const std::string& said) {
  std::string path = said;
  if (path.empty() && host.look_at(UMLNET_HELPER)) path = UMLNET_HELPER;
  if (path.empty()) path = host.find_in_path("uml_net").value_or("");
  std::error_code missing;
  const auto resolved = std::filesystem::canonical(path, missing);
  return missing ? path : resolved.string();
}

using Examined = std::pair<const Check*, Finding>;

std::size_t count(const std::vector<Examined>& results, Health health) {
  return static_cast<std::size_t>(
      std::ranges::count_if(results, [&](const Examined& result) { return result.second.health == health; }));
}

void print_lines(const std::vector<Examined>& results, bool quiet) {
  for (const auto& [check, finding] : results) {
    if (quiet && finding.health == Health::ok) continue;
    std::printf("%-11s  %-14s  %s\n", words_of(finding.health).first, check->name, finding.found.c_str());
    if (!finding.mend.empty()) std::printf("%-11s  %-14s  to mend it: %s\n", "", "", finding.mend.c_str());
  }
  const auto number = [&](Health health, const char* one, const char* more) {
    const auto times = count(results, health);
    return times == 0 ? std::string() : ", " + std::to_string(times) + " " + (times == 1 ? one : more);
  };
  std::printf("%zu checks%s%s%s\n", results.size(), number(Health::problem, "problem", "problems").c_str(),
              number(Health::warning, "warning", "warnings").c_str(),
              number(Health::cannot_tell, "not to be seen", "not to be seen").c_str());
}

void print_json(const std::vector<Examined>& results) {
  using nlohmann::ordered_json;
  ordered_json json = {{"ok", count(results, Health::problem) == 0},
                       {"problems", count(results, Health::problem)},
                       {"warnings", count(results, Health::warning)},
                       {"unknown", count(results, Health::cannot_tell)},
                       {"checks", ordered_json::array()}};
  for (const auto& [check, finding] : results)
    json["checks"].push_back({{"check", check->name},
                              {"state", words_of(finding.health).second},
                              {"found", finding.found},
                              {"mend", finding.mend}});
  std::puts(json_text(json).c_str());
}

int doctor_main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) return tell("doctor", options.error());
  if (!*options) {
    std::fputs(kHelp, stdout);
    return EX_OK;
  }
  const ThisHost host;
  const Examination examination{.host = host, .helper = find_helper(host, (*options)->helper), .lan = (*options)->lan};
  std::vector<Examined> results;
  for (const auto& check : all_checks()) results.emplace_back(&check, check.examine(examination));
  (*options)->json ? print_json(results) : print_lines(results, (*options)->quiet);
  return count(results, Health::problem) == 0 ? EX_OK : 1;
}

}  // namespace

const Subcommand kDoctor = {"doctor", "say what keeps guests off the network", kHelp, doctor_main};

}  // namespace umlnet::cli
