// umlnet policy check: what is wrong with a policy, and what can hardly be meant.
#include <getopt.h>
#include <sysexits.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/cli/network_state.h"
#include "libumlnet/cli/policy_command.h"
#include "libumlnet/cli/policy_input.h"
#include "libumlnet/cli/policy_places.h"
#include "libumlnet/cli/policy_review.h"
#include "libumlnet/core/json_text.h"
#include "libumlnet/core/plain_text.h"
#include "policy/location.h"

namespace umlnet::cli {

const char kPolicyCheckHelp[] =
    R"(Usage: umlnet policy check [OPTION...] [FILE...]

Without FILE, the policy as it is installed: what uml_net would make of it, the
owners and modes of the files included. With FILEs, what they hold, in this
order, as one policy; they may belong to anybody.

      --strict              exit with 1 where there is a warning
      --host-state live     compare ranges and devices with the host's (default)
      --host-state none     do not
  -j, --json                one JSON object instead of lines
  -h, --help                this text

Exit status: 0 right, perhaps with warnings; 1 warnings, with --strict; 64 usage;
65 a FILE is wrong; 66 a file cannot be opened; 78 the installed policy is wrong,
and uml_net serves nobody.
)";

namespace {

struct Options {
  bool strict = false;
  bool live = true;
  bool json = false;
  std::vector<std::string> files;
};

struct Problem {
  std::string file;  // empty where it is not known
  Error error;
};

struct Findings {
  std::vector<std::string> files;
  std::size_t rules = 0;
  std::vector<Problem> problems;
  std::vector<PolicyWarning> warnings;
  std::vector<Place> places;  // of the warnings
  std::vector<std::string> notes;
};

// Nothing: the help was asked for.
Outcome<std::optional<Options>> parse(int argc, char** argv) {
  enum Long { kStrict = 256, kHostState };
  static constexpr option kLong[] = {
      {"strict", no_argument, nullptr, kStrict},
      {"host-state", required_argument, nullptr, kHostState},
      {"json", no_argument, nullptr, 'j'},
      {"help", no_argument, nullptr, 'h'},
      {nullptr, 0, nullptr, 0},
  };
  Options options;
  for (int letter = 0; (letter = ::getopt_long(argc, argv, ":jh", kLong, nullptr)) != -1;) {
    const std::string value = ::optarg != nullptr ? ::optarg : "";
    switch (letter) {
      case kStrict: options.strict = true; break;
      case kHostState:
        if (value != "live" && value != "none") return misuse("--host-state " + value + ": it is live or none");
        options.live = value == "live";
        break;
      case 'j': options.json = true; break;
      case 'h': return std::nullopt;
      default: return bad_option(letter, argv);
    }
  }
  options.files.assign(argv + ::optind, argv + argc);
  return options;
}

// The first fault of each file, since a file is read no further than that; then what they are not together.
void check_texts(const std::vector<policy::PolicyText>& texts, const KnownAccounts& known,
                 const policy::HostState* host, Findings& findings) {
  for (const auto& text : texts) {
    findings.files.push_back(text.path);
    if (const auto alone = policy::load({&text, 1}, known.accounts); !alone)
      findings.problems.push_back({text.path, alone.error()});
  }
  if (!findings.problems.empty()) return;
  const auto policy = policy::load(texts, known.accounts);
  if (!policy) {
    const auto is_named = [&](const auto& text) {
      return policy.error().what.starts_with(escaped(text.path, 256) + ":");  // as load() writes it
    };
    const auto named = std::ranges::find_if(texts, is_named);
    findings.problems = {{named != texts.end() ? named->path : "", policy.error()}};
    return;
  }
  findings.rules = policy->rules.size();
  findings.warnings = review(*policy, known.memberships, host);
  const PolicyPlaces places(texts);
  for (const auto& warning : findings.warnings)
    findings.places.push_back(places.of(warning.rule, warning.key, warning.item));
}

Outcome<Findings> find(const Options& options) {
  const auto known = read_known_accounts();
  if (!known) return trouble(known.error());
  Findings findings;
  std::optional<policy::HostState> host;
  if (options.live) {
    auto now = read_network_state();
    if (now)
      host = *std::move(now);
    else
      findings.notes.push_back("the host's devices and addresses were not compared: " + now.error().text);
  }
  const auto* seen = host ? &*host : nullptr;

  if (options.files.empty()) {
    const auto texts = read_installed_policy();
    if (!texts && is_hidden(texts.error())) {
      Error error = texts.error();
      error.code = Code::no_such_device;  // EX_NOINPUT: nothing is known to be wrong
      return trouble(error);
    }
    if (!texts) {
      findings.problems.push_back({{}, texts.error()});
      return findings;
    }
    if (texts->empty())
      findings.notes.push_back(std::string("there is no policy, so only root is served; it belongs in ") +
                               policy::kPolicyFile);
    check_texts(*texts, *known, seen, findings);
    return findings;
  }

  std::vector<policy::PolicyText> drafts;
  for (const auto& path : options.files) {
    auto draft = read_draft(path);
    if (!draft) return trouble(draft.error());
    drafts.push_back(*std::move(draft));
    auto why = why_untrusted(path);
    if (!why.empty()) why.insert(0, "uml_net would not take it from there: ");
    // Of several files in one place, it is the place.
    if (!why.empty() && std::ranges::find(findings.notes, why) == findings.notes.end()) findings.notes.push_back(why);
  }
  check_texts(drafts, *known, seen, findings);
  return findings;
}

std::string count(std::size_t number, const std::string& what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string in_rule(const PolicyWarning& warning) {
  return "rule " + in_quotes(warning.rule) + ": " + (warning.key.empty() ? "" : "key " + in_quotes(warning.key) + ": ");
}

void print_lines(const Findings& findings) {
  for (const auto& problem : findings.problems) std::printf("error: %s\n", problem.error.line().c_str());
  if (!findings.problems.empty() && !findings.problems.front().error.advice.empty())
    std::printf("%s\n", findings.problems.front().error.advice.c_str());
  for (std::size_t i = 0; i < findings.warnings.size(); ++i)
    std::printf("warning: %s: %s%s\n", findings.places[i].str().c_str(), in_rule(findings.warnings[i]).c_str(),
                findings.warnings[i].text.c_str());
  for (const auto& note : findings.notes) std::printf("note: %s\n", note.c_str());
  if (findings.problems.empty())
    std::printf("%s, %s: %s\n", count(findings.files.size(), "file").c_str(), count(findings.rules, "rule").c_str(),
                findings.warnings.empty() ? "right" : count(findings.warnings.size(), "warning").c_str());
}

void print_json(const Findings& findings) {
  using nlohmann::ordered_json;
  ordered_json json = {{"ok", findings.problems.empty()},   {"files", findings.files},
                       {"rules", findings.rules},           {"problems", ordered_json::array()},
                       {"warnings", ordered_json::array()}, {"notes", findings.notes}};
  for (const auto& problem : findings.problems) {
    ordered_json one = {{"message", problem.error.line()}, {"advice", problem.error.advice}};
    if (!problem.file.empty()) one["file"] = problem.file;
    if (problem.error.at_line != 0) one["line"] = problem.error.at_line;
    json["problems"].push_back(std::move(one));
  }
  for (std::size_t i = 0; i < findings.warnings.size(); ++i) {
    const auto& warning = findings.warnings[i];
    ordered_json one = {{"kind", warning.kind}, {"rule", warning.rule}, {"message", warning.text}};
    if (!warning.key.empty()) one["key"] = warning.key;
    if (!warning.item.empty()) one["item"] = warning.item;
    one["file"] = findings.places[i].file;
    one["line"] = findings.places[i].line;
    json["warnings"].push_back(std::move(one));
  }
  std::puts(json_text(json).c_str());
}

}  // namespace

int policy_check_main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) return tell("policy check", options.error());
  if (!*options) {
    std::fputs(kPolicyCheckHelp, stdout);
    return EX_OK;
  }
  const auto findings = find(**options);
  if (!findings) return tell("policy check", findings.error());
  (*options)->json ? print_json(*findings) : print_lines(*findings);
  if (!findings->problems.empty()) return (*options)->files.empty() ? EX_CONFIG : EX_DATAERR;
  return (*options)->strict && !findings->warnings.empty() ? 1 : EX_OK;
}

}  // namespace umlnet::cli
