#include "policy/loader/load.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "libumlnet/core/plain_text.h"
#include "policy/loader/read_rule.h"
#include "policy/loader/reading.h"

namespace umlnet::policy {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxRules = 1000;
constexpr std::string_view kAdvice = "Nobody is granted anything until this is mended; see umlnet-policy(5).";
constexpr std::string_view kLeastPolicy = "{\"version\": 1, \"rules\": []}";

constexpr std::array<std::string_view, 5> kTopKeys = {"$schema", "comment", "version", "rules", "audit"};
constexpr std::array<std::string_view, 2> kAuditKeys = {"comment", "journald"};

// `uml-guests` where the rule has a string for a name, else its place in the file, from 1.
std::string rule_label(const JsonValue& value, std::size_t index) {
  const auto* object = std::get_if<JsonObject>(&value.data);
  const auto* member = object != nullptr ? find(*object, "name") : nullptr;
  const auto* name = member != nullptr ? as_string(member->value) : nullptr;
  return "rule " + (name != nullptr ? in_quotes(*name) : "no. " + std::to_string(index + 1));
}

// "/etc/umlnet/policy.json:12", or without the line where that is 0.
std::string place(const PolicyText& file, unsigned line) {
  return escaped(file.path, 256) + (line != 0 ? ":" + std::to_string(line) : "");
}

class Loader {
 public:
  explicit Loader(const Accounts& accounts) : accounts_(accounts) {}

  Result<void> add(const PolicyText& file) {
    auto done = add_text(file);
    if (done) return {};
    Error& error = done.error();
    error.what = place(file, error.at_line) + ": " + error.what;
    error.advice = kAdvice;
    return done;
  }

  std::vector<Rule> take_rules() { return std::move(rules_); }
  bool journald() const { return journald_; }

 private:
  Result<void> add_text(const PolicyText& file) {
    if (file.text.size() > kMaxFileSize)
      return fault(0, "the file has more than " + std::to_string(kMaxFileSize) +
                          " bytes; divide it into files in the directory for policy files");
    const auto tree = parse_strict_json(file.text);
    if (!tree) return fault(tree.error().at_line, tree.error().what);
    const auto* top = std::get_if<JsonObject>(&tree->data);
    if (top == nullptr)
      return fault(*tree, shown(*tree) + " is not a policy; the least one is " + std::string(kLeastPolicy));

    // The version first: what the other keys are depends on it.
    const auto* version = find(*top, "version");
    if (version == nullptr) return fault(*tree, "key \"version\" is missing; write \"version\": 1");
    if (const auto* number = std::get_if<std::uint64_t>(&version->value.data); number == nullptr || *number != kVersion)
      return fault(version->value,
                   "key \"version\": " + shown(version->value) + " is not a version that this program knows; write 1");
    for (const auto& member : *top)
      if (std::ranges::find(kTopKeys, member.key) == kTopKeys.end()) return unknown_key(member, "a policy", kTopKeys);
    for (const auto* key : {"$schema", "comment"})
      if (const auto* member = find(*top, key))
        if (auto done = read_comment(member->value); !done) return in_key(key, done.error());

    if (const auto* audit = find(*top, "audit"))
      if (auto done = add_audit(audit->value); !done) return in_key("audit", done.error());

    const auto* rules = find(*top, "rules");
    if (rules == nullptr) return fault(*tree, "key \"rules\" is missing; write \"rules\": [] for none");
    const auto* array = std::get_if<JsonArray>(&rules->value.data);
    if (array == nullptr)
      return fault(rules->value,
                   "key \"rules\": " + shown(rules->value) + " is not an array of rules; write [] for none");
    for (std::size_t i = 0; i < array->size(); ++i)
      if (auto done = add_rule(file, (*array)[i]); !done)
        return fault(done.error().at_line, rule_label((*array)[i], i) + ": " + done.error().what);
    return {};
  }

  // What one file asks for, no other file takes back: a record the more does no harm.
  Result<void> add_audit(const JsonValue& value) {
    const auto* object = std::get_if<JsonObject>(&value.data);
    if (object == nullptr) return fault(value, shown(value) + " is not an object, as in {\"journald\": true}");
    for (const auto& member : *object)
      if (std::ranges::find(kAuditKeys, member.key) == kAuditKeys.end())
        return unknown_key(member, "\"audit\"", kAuditKeys);
    if (const auto* comment = find(*object, "comment"))
      if (auto done = read_comment(comment->value); !done) return in_key("comment", done.error());
    if (const auto* journald = find(*object, "journald")) {
      const auto wanted = true_or_false(journald->value);
      if (!wanted) return in_key("journald", wanted.error());
      journald_ |= *wanted;
    }
    return {};
  }

  Result<void> add_rule(const PolicyText& file, const JsonValue& value) {
    if (rules_.size() == kMaxRules)
      return fault(value, "there are more than " + std::to_string(kMaxRules) + " rules in all policy files together");
    auto rule = read_rule(value, accounts_);
    if (!rule) return std::unexpected(std::move(rule.error()));
    const auto [taken, is_new] = places_.emplace(rule->name, place(file, value.line));
    if (!is_new)
      return fault(find(std::get<JsonObject>(value.data), "name")->value,
                   "key \"name\": the name is taken by the rule at " + taken->second + "; give each rule its own");
    rules_.push_back(*std::move(rule));
    return {};
  }

  const Accounts& accounts_;
  std::vector<Rule> rules_;
  bool journald_ = false;
  std::map<std::string, std::string> places_;  // where the rule of each name stands
};

}  // namespace

Result<Policy> load(std::span<const PolicyText> files, const Accounts& accounts) {
  Loader loader(accounts);
  for (const auto& file : files)
    if (auto done = loader.add(file); !done) return std::unexpected(std::move(done.error()));
  return Policy{.present = !files.empty(), .rules = loader.take_rules(), .journald = loader.journald()};
}

}  // namespace umlnet::policy
