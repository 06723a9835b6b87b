// umlnet policy explain: how uml_net would decide a request, and what each rule makes of it.
#include <getopt.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/cli/asked_request.h"
#include "libumlnet/cli/network_state.h"
#include "libumlnet/cli/policy_command.h"
#include "libumlnet/cli/policy_input.h"
#include "libumlnet/cli/policy_places.h"
#include "libumlnet/cli/words.h"
#include "libumlnet/core/call.h"
#include "libumlnet/core/json_text.h"
#include "libumlnet/core/plain_text.h"
#include "policy/decide.h"

namespace umlnet::cli {

const char kPolicyExplainHelp[] =
    R"(Usage: umlnet policy explain [OPTION...] OPERATION [OPERATION-OPTION...]

Says how uml_net would decide a request, by which rule, and what every other
rule makes of it. Nothing is asked of uml_net, and nothing is changed.

  umlnet policy explain --user alice tuntap --gateway 10.99.0.254
  umlnet policy explain --user alice address --device tap0 --address 10.99.0.1

Operations, and what they name:
  tuntap      a TAP device, with --gateway or without
  ethertap    a session on --device, with --gateway or without
  address     a guest's --address on --device, under --netmask
  bridge      a TAP device on --bridge
  open ...    an interface of the native protocol, in that protocol's own words:
              umlnet policy explain open device=vm7 queues=2 guest=fd00:99::7
  remove device=DEV, session
              the other requests of the native protocol

      --gateway ADDR        the host's address on the device
      --device DEV          the device by name
      --address ADDR[/LEN]  the guest's address, and the bits of its network
      --netmask MASK        the same bits as a mask (default: all 32)
      --del                 the address is taken back, and not added
      --bridge BRIDGE       the bridge by name

Options:
      --user NAME|UID       who asks (default: you, with the groups you have)
      --group NAME|GID      is in this group besides the own one, in place of
                            those of /etc/group; may be given again
      --host-state live     the host as it is: limits, addresses in use, whose
                            DEV is (default)
      --host-state none     the policy alone: nobody holds anything, DEV is the
                            caller's, a bridge is there
      --policy FILE         in place of the installed policy; may be given again
  -j, --json                one JSON object instead of lines
  -h, --help                this text

Exit status: 0 allowed; 77 denied; 64 usage; 65 a FILE is wrong; 66 a file cannot
be opened; 67 no such user or group; 78 the installed policy is wrong.
)";

namespace {

using policy::Caller;
using policy::HostState;
using policy::Rule;
using policy::RuleVerdict;

constexpr gid_t kNoGroup = static_cast<gid_t>(-1);  // no rule can name it

struct Options {
  std::optional<std::string> user;
  std::vector<std::string> groups;
  bool own_groups = false;  // --group was given
  bool live = true;
  bool json = false;
  std::vector<std::string> drafts;
  Request request = MakeTap{};
};

// Nothing: the help was asked for.
Outcome<std::optional<Options>> parse(int argc, char** argv) {
  enum Long { kUser = 256, kGroup, kHostState, kPolicyFile, kDevice, kGateway, kAddress, kNetmask, kDel, kBridge };
  static constexpr option kLong[] = {
      {"user", required_argument, nullptr, kUser},
      {"group", required_argument, nullptr, kGroup},
      {"host-state", required_argument, nullptr, kHostState},
      {"policy", required_argument, nullptr, kPolicyFile},
      {"device", required_argument, nullptr, kDevice},
      {"gateway", required_argument, nullptr, kGateway},
      {"address", required_argument, nullptr, kAddress},
      {"netmask", required_argument, nullptr, kNetmask},
      {"del", no_argument, nullptr, kDel},
      {"bridge", required_argument, nullptr, kBridge},
      {"json", no_argument, nullptr, 'j'},
      {"help", no_argument, nullptr, 'h'},
      {nullptr, 0, nullptr, 0},
  };
  Options options;
  AskedWords words;
  for (int letter = 0; (letter = ::getopt_long(argc, argv, ":jh", kLong, nullptr)) != -1;) {
    const std::string value = ::optarg != nullptr ? ::optarg : "";
    switch (letter) {
      case kUser: options.user = value; break;
      case kGroup:
        options.groups.push_back(value);
        options.own_groups = true;
        break;
      case kHostState:
        if (value != "live" && value != "none") return misuse("--host-state " + value + ": it is live or none");
        options.live = value == "live";
        break;
      case kPolicyFile: options.drafts.push_back(value); break;
      case kDevice: words.device = value; break;
      case kGateway: words.gateway = value; break;
      case kAddress: words.address = value; break;
      case kNetmask: words.netmask = value; break;
      case kDel: words.removes = true; break;
      case kBridge: words.bridge = value; break;
      case 'j': options.json = true; break;
      case 'h': return std::nullopt;
      default: return bad_option(letter, argv);
    }
  }
  if (::optind < argc) words.operation = argv[::optind];
  for (int i = ::optind + 1; i < argc; ++i) words.native.emplace_back(argv[i]);
  const auto request = request_of(words);
  if (!request) return std::unexpected(request.error());
  options.request = *request;
  return options;
}

bool is_number(const std::string& word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

Outcome<std::vector<gid_t>> named_groups(const std::vector<std::string>& words, const KnownAccounts& known) {
  std::vector<gid_t> groups;
  for (const auto& word : words) {
    const auto gid = is_number(word) ? number(word, kNoGroup - 1) : known.accounts.gid_of(word);
    if (!gid)
      return trouble(EX_NOUSER, "there is no group " + in_quotes(word) + " in /etc/group; a number always works");
    groups.push_back(*gid);
  }
  return groups;
}

Outcome<Caller> caller_of(const Options& options, const KnownAccounts& known) {
  Caller caller = this_process();
  if (options.user) {
    const auto uid =
        is_number(*options.user) ? number(*options.user, kNoGroup - 1) : known.accounts.uid_of(*options.user);
    if (!uid)
      return trouble(EX_NOUSER,
                     "there is no user " + in_quotes(*options.user) + " in /etc/passwd; a number always works");
    caller.uid = *uid;
    const auto name = is_number(*options.user) ? known.accounts.name_of(*uid) : options.user;
    caller.gid = name ? known.memberships.primary_group_of(*name).value_or(kNoGroup) : kNoGroup;
    caller.groups = name ? known.memberships.groups_of(*name) : std::vector<gid_t>{};
  }
  caller.user = known.accounts.name_of(caller.uid);
  if (options.own_groups) {
    auto groups = named_groups(options.groups, known);
    if (!groups) return std::unexpected(groups.error());
    caller.groups = *std::move(groups);
  }
  return caller;
}

struct Line {
  const Rule* rule;
  std::string says;  // for scripts
  std::string words;
};

struct Explanation {
  Caller caller;
  Request request;
  bool live = true;
  std::string note;
  bool allowed = false;
  std::string rule, reason, advice;
  int helper_status = 0;
  unsigned devices = 0, addresses = 0;
  std::vector<Line> lines;
  std::vector<std::string> published, not_published;
};

std::string names_in(const std::vector<policy::Principal>& principals) {
  std::string text;
  for (const auto& one : principals) {
    text += text.empty() ? "" : ", ";
    if (const auto* name = std::get_if<std::string>(&one.written))
      text += *name + (one.id ? "" : " (does not exist)");
    else if (const auto* id = std::get_if<id_t>(&one.written))
      text += std::to_string(*id);
    else
      text += "*";
  }
  return text;
}

std::string speaks_of(const Rule& rule) {
  std::string text = "speaks of other callers:";
  if (!rule.users.empty()) text += " users " + names_in(rule.users);
  if (!rule.groups.empty()) text += (rule.users.empty() ? " groups " : "; groups ") + names_in(rule.groups);
  return text;
}

std::string operations_of(const Rule& rule) {
  std::string text;
  for (const auto operation : rule.operations.value_or(std::set<Operation>{}))
    text += (text.empty() ? "" : ", ") + std::string(operation_name(operation));
  return text.empty() ? "none" : text;
}

Line line_of(const Rule& rule, const policy::RuleEvaluation& answer, const Explanation& decided, const Rule* denier) {
  const bool deciding = rule.name == decided.rule;
  switch (answer.says) {
    case RuleVerdict::nothing:
      if (std::holds_alternative<RemoveInterface>(decided.request))
        return {&rule, "not-asked", "is not asked: one's own device needs no rule"};
      return {&rule, "other-callers", speaks_of(rule)};
    case RuleVerdict::does_not_match: return {&rule, "does-not-match", "lets it pass: " + answer.why};
    case RuleVerdict::lacks_operation:
      return {&rule, "lacks-operation", "does not allow this operation: it lists " + operations_of(rule)};
    case RuleVerdict::lacks_value: return {&rule, "lacks-value", "allows it but for " + answer.why};
    case RuleVerdict::lacks_room: return {&rule, "lacks-room", "allows it but for " + answer.why};
    case RuleVerdict::denies: return {&rule, "denies", deciding ? "denies it, and decides" : "denies it, too"};
    case RuleVerdict::grants: break;
  }
  if (denier != nullptr) return {&rule, "grants", "allows it, but rule " + denier->name + " denies it"};
  if (!deciding) return {&rule, "grants", "allows it, too, but rule " + decided.rule + " comes first"};
  return {&rule, "grants", decided.allowed ? "allows it, and decides" : "allows it, but no rule can grant this"};
}

Explanation explain(const policy::Policy& policy, const Caller& caller, const Request& request, const HostState& host) {
  Explanation explanation;
  explanation.caller = caller;
  explanation.request = request;
  explanation.devices = host.devices_of(caller.uid);
  explanation.addresses = host.addresses_of(caller.uid);
  const auto decision = policy::decide(policy, caller, request, host);
  explanation.allowed = decision.has_value();
  explanation.rule = decision ? decision->rule() : decision.error().rule;
  explanation.reason = decision ? decision->reason() : decision.error().error.what;
  if (!decision) {
    explanation.advice = decision.error().error.advice;
    const bool is_bridged = std::holds_alternative<MakeBridgedTap>(request);
    const auto form = is_bridged ? ReplyForm::bridge : ReplyForm::text;
    explanation.helper_status = exit_status_of(form, decision.error().error);
  }
  const auto answers = policy::answers_of(policy, caller, request, host);
  const auto denies = std::ranges::find(answers, RuleVerdict::denies, &policy::RuleEvaluation::says);
  const Rule* denier =
      denies != answers.end() ? &policy.rules[static_cast<std::size_t>(denies - answers.begin())] : nullptr;
  for (std::size_t i = 0; i < answers.size(); ++i)
    explanation.lines.push_back(line_of(policy.rules[i], answers[i], explanation, denier));

  if (decision)
    for (const auto* lan : lans_asked_for(request, host)) {
      auto& names = decision->may_publish_on(*lan) ? explanation.published : explanation.not_published;
      if (std::ranges::find(names, lan->name) == names.end()) names.push_back(lan->name);
    }
  return explanation;
}

std::string with_name(gid_t group, const Memberships& memberships) {
  if (group == kNoGroup) return "none";
  const auto name = memberships.group_name(group);
  return std::to_string(group) + (name ? " (" + *name + ")" : "");
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void print_lines(const Explanation& explanation, const PolicyPlaces& places, const Memberships& memberships) {
  std::printf("%s: %s\n", explanation.allowed ? "allowed" : "denied", explanation.reason.c_str());
  if (!explanation.advice.empty()) std::printf("%s\n", explanation.advice.c_str());
  const auto& caller = explanation.caller;
  std::vector<std::string> groups = {with_name(caller.gid, memberships)};
  for (const auto group : caller.groups)
    if (group != caller.gid) groups.push_back(with_name(group, memberships));
  std::printf("  caller   uid %u%s, groups %s\n", caller.uid, caller.user ? (" (" + *caller.user + ")").c_str() : "",
              joined(groups).c_str());
  std::printf("  request  %s\n", words_of(explanation.request).c_str());
  if (explanation.live)
    std::printf("  host     as it is; the caller holds %u devices and %u addresses\n", explanation.devices,
                explanation.addresses);
  else
    std::printf("  host     not looked at%s\n", explanation.note.empty() ? "" : (": " + explanation.note).c_str());
  if (!explanation.published.empty())
    std::printf("  seen     in the LAN of %s\n", joined(explanation.published).c_str());
  if (!explanation.not_published.empty())
    std::printf("  unseen   in the LAN of %s: the rule does not list it under \"lan\"\n",
                joined(explanation.not_published).c_str());
  for (const auto& line : explanation.lines)
    std::printf("%s: %s rule %s %s\n", places.of(line.rule->name).str().c_str(),
                line.rule->effect == policy::Effect::deny ? "deny" : "allow", line.rule->name.c_str(),
                line.words.c_str());
}

void print_json(const Explanation& explanation, const PolicyPlaces& places) {
  using nlohmann::ordered_json;
  const auto& caller = explanation.caller;
  ordered_json who = {{"uid", caller.uid}, {"groups", caller.groups}};
  if (caller.gid != kNoGroup) who["gid"] = caller.gid;
  if (caller.user) who["user"] = *caller.user;
  ordered_json json = {{"allowed", explanation.allowed},
                       {"rule", explanation.rule.empty() ? ordered_json() : ordered_json(explanation.rule)},
                       {"reason", explanation.reason},
                       {"advice", explanation.advice},
                       {"helper_exit_status", explanation.helper_status},
                       {"caller", std::move(who)},
                       {"operation", request_name(explanation.request)},
                       {"request", words_of(explanation.request)},
                       {"host_state", explanation.live ? "live" : "none"},
                       {"rules", ordered_json::array()}};
  if (explanation.live) {
    json["devices_held"] = explanation.devices;
    json["addresses_held"] = explanation.addresses;
  }
  if (explanation.allowed && names_guests(explanation.request)) {
    json["seen_in_lan_of"] = explanation.published;
    json["unseen_in_lan_of"] = explanation.not_published;
  }
  for (const auto& line : explanation.lines) {
    const auto place = places.of(line.rule->name);
    json["rules"].push_back({{"rule", line.rule->name},
                             {"effect", line.rule->effect == policy::Effect::deny ? "deny" : "allow"},
                             {"file", place.file},
                             {"line", place.line},
                             {"says", line.says},
                             {"why", line.words}});
  }
  std::puts(json_text(json).c_str());
}

Outcome<std::vector<policy::PolicyText>> read_texts(const Options& options) {
  if (options.drafts.empty()) {
    auto texts = read_installed_policy();
    if (texts) return *std::move(texts);
    Error error = texts.error();
    if (is_hidden(error)) error.code = Code::no_such_device;  // EX_NOINPUT: nothing is known to be wrong
    return trouble(error);
  }
  std::vector<policy::PolicyText> texts;
  for (const auto& path : options.drafts) {
    auto draft = read_draft(path);
    if (!draft) return trouble(draft.error());
    texts.push_back(*std::move(draft));
  }
  return texts;
}

Outcome<int> run(const Options& options) {
  const auto known = read_known_accounts();
  if (!known) return trouble(known.error());
  const auto caller = caller_of(options, *known);
  if (!caller) return std::unexpected(caller.error());
  const auto texts = read_texts(options);
  if (!texts) return std::unexpected(texts.error());
  const auto policy = policy::load(*texts, known->accounts);
  if (!policy) {
    Error error = policy.error();
    if (!options.drafts.empty()) error.code = Code::bad_value;  // EX_DATAERR: no policy of the host's is wrong
    return trouble(error);
  }
  HostState host = assumed_host(*caller, options.request);
  bool live = false;
  std::string note;
  if (options.live) {
    auto now = read_network_state(policy::guests_of(options.request));
    live = now.has_value();
    if (now)
      host = *std::move(now);
    else
      note = now.error().text;
  }
  auto explanation = explain(*policy, *caller, options.request, host);
  explanation.live = live;
  explanation.note = note;
  const PolicyPlaces places(*texts);
  options.json ? print_json(explanation, places) : print_lines(explanation, places, known->memberships);
  return explanation.allowed ? EX_OK : EX_NOPERM;
}

}  // namespace

int policy_explain_main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) return tell("policy explain", options.error());
  if (!*options) {
    std::fputs(kPolicyExplainHelp, stdout);
    return EX_OK;
  }
  const auto status = run(**options);
  return status ? *status : tell("policy explain", status.error());
}

}  // namespace umlnet::cli
