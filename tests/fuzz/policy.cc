// A policy file of any content. Before a line that is "#passwd" comes the policy, behind it stands /etc/passwd.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "policy/decide.h"
#include "policy/loader/load.h"
#include "require.h"
#include "tests/unit/fake_host.h"

using namespace umlnet;

namespace {

constexpr std::string_view kBorder = "\n#passwd\n";
constexpr std::string_view kPasswd = "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1001::/home/alice:/bin/sh\n";
constexpr std::string_view kGroup = "umlnet:x:990:alice\nstaff:x:50:\n";

void require_decisions_hold(const policy::Policy& policy) {
  const auto host = test::small_host();
  const Request requests[] = {MakeTap{},
                              MakeTap{test::ip("10.99.0.254")},
                              OpenEthertap{*IfName::parse("tap7"), std::nullopt},
                              test::add("tap0", "10.50.0.7"),
                              test::add("tap0", "10.50.0.1"),
                              test::del("tap0", "10.50.0.7"),
                              test::bridged("br0")};
  for (const auto& request : requests) {
    for (const auto& caller : {test::caller(1001, {990}), test::caller(0), test::caller(4711)}) {
      const auto answers = policy::answers_of(policy, caller, request, host);
      REQUIRE_THAT(answers.size() == policy.rules.size());
      bool denied = false, granted = false;
      for (const auto& answer : answers) {
        denied |= answer.says == policy::RuleVerdict::denies;
        granted |= answer.says == policy::RuleVerdict::grants;
      }
      const auto grant = policy::decide(policy, caller, request, host);
      if (denied) REQUIRE_THAT(!grant);
      if (grant && caller.uid != 0) REQUIRE_THAT(granted);
      if (!grant) fuzz::require_readable(grant.error().error);
      // An address of the host's own is nobody's but root's to give away.
      const auto* add = std::get_if<AddAddress>(&request);
      if (grant && add != nullptr && caller.uid != 0) REQUIRE_THAT(add->address != test::ip("10.50.0.1"));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto border = bytes.find(kBorder);
  const auto passwd = border == std::string_view::npos ? kPasswd : bytes.substr(border + kBorder.size());
  const policy::Accounts accounts{std::string(passwd), std::string(kGroup)};
  const policy::PolicyText file{"/etc/umlnet/policy.json", std::string(bytes.substr(0, border))};
  const auto policy = policy::load(std::span(&file, 1), accounts);
  if (!policy) {
    REQUIRE_THAT(policy.error().code == Code::bad_policy);
    REQUIRE_THAT(policy.error().line().find(file.path) != std::string::npos);
    fuzz::require_readable(policy.error());
    return 0;
  }
  // Strict: what is taken here is JSON to everybody.
  REQUIRE_THAT(nlohmann::json::accept(file.text));
  REQUIRE_THAT(file.text.size() <= policy::kMaxFileSize);
  REQUIRE_THAT(policy->present);
  std::set<std::string> names;
  for (const auto& rule : policy->rules) {
    REQUIRE_THAT(names.insert(rule.name).second);
    REQUIRE_THAT(fuzz::is_one_line(rule.name));
    REQUIRE_THAT(!rule.users.empty() || !rule.groups.empty());
    if (rule.effect == policy::Effect::deny)
      for (const auto& list : {rule.users, rule.groups})
        for (const auto& who : list) REQUIRE_THAT(who.id || std::holds_alternative<policy::Everybody>(who.written));
  }
  require_decisions_hold(*policy);
  // The same file twice is every name twice.
  const policy::PolicyText twice[] = {file, file};
  if (!policy->rules.empty()) REQUIRE_THAT(!policy::load(twice, accounts));
  return 0;
}
