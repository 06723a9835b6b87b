#include "policy/decide.h"

#include <algorithm>
#include <utility>

#include "policy/host_refusal.h"
#include "policy/location.h"
#include "policy/quota_usage.h"

namespace umlnet::policy {
namespace {

const std::string kAskAdministrator =
    std::string("Ask the administrator of this host for a rule in ") + kPolicyFile + " (umlnet-policy(5)).";

Denial denied(std::string rule, std::string reason, std::string_view advice = kAskAdministrator) {
  return {std::move(rule), {Code::denied, 0, std::move(reason), std::string(advice)}};
}

}  // namespace

bool Grant::may_publish_on(const rtnetlink::Link& lan) const { return !lan_ || match_any(*lan_, lan); }

std::string Grant::lan_list() const {
  std::string text;
  if (lan_)
    for (const auto& pattern : *lan_) text += (text.empty() ? "" : ", ") + pattern.str();
  return text;
}

bool counts_against_limits(const Request& request) {
  const auto demand = demand_of(request);
  return demand.devices != 0 || demand.addresses != 0;
}

std::expected<Grant, Denial> decide(const Policy& policy, const Caller& caller, const Request& request,
                                    const HostState& host) {
  const auto refused = [](Denial denial) { return std::unexpected(std::move(denial)); };

  // Anybody may have removed what belongs to nobody, or to himself; no rule speaks of it.
  if (std::holds_alternative<CollectGarbage>(request))
    return Grant(request, caller.uid, {}, "what guests that are gone left behind", std::nullopt);
  if (std::holds_alternative<RemoveInterface>(request)) {
    if (auto error = host_refusal(caller, request, host)) return refused({{}, *std::move(error)});
    return Grant(request, caller.uid, {},
                 caller.uid == 0 ? "real uid 0 needs no rule" : "one's own device needs no rule", std::nullopt);
  }

  const auto answers = answers_of(policy, caller, request, host);
  // The first rule that says so, and why.
  const auto first_that = [&](RuleVerdict says) -> std::optional<std::pair<const Rule&, const std::string&>> {
    const auto found = std::ranges::find(answers, says, &RuleEvaluation::says);
    if (found == answers.end()) return std::nullopt;
    return {{policy.rules[static_cast<std::size_t>(found - answers.begin())], found->why}};
  };
  if (const auto deny = first_that(RuleVerdict::denies))
    return refused(denied(deny->first.name, "rule " + deny->first.name + " denies this"));

  const std::string operation(operation_name(operation_of(request)));
  if (const auto allow = first_that(RuleVerdict::grants)) {
    const Rule& rule = allow->first;
    if (auto error = host_refusal(caller, request, host)) return refused({rule.name, *std::move(error)});
    return Grant(request, caller.uid, rule.name, "rule " + rule.name + " allows " + operation,
                 rule.lan.value_or(std::vector<DevicePattern>{}), rule.infrastructure);
  }

  if (caller.uid == 0) {
    if (auto error = host_refusal(caller, request, host)) return refused({{}, *std::move(error)});
    return Grant(request, caller.uid, {}, "real uid 0 needs no rule", std::nullopt);
  }
  if (!policy.present)
    return refused(denied({}, "there is no policy on this host, so only root may use uml_net",
                          std::string("The administrator can write one: ") + kPolicyFile + " (umlnet-policy(5))."));

  // The nearest is the one that lacks least.
  for (const auto says : {RuleVerdict::lacks_room, RuleVerdict::lacks_value})
    if (const auto near = first_that(says))
      return refused(denied(near->first.name, "rule " + near->first.name + " allows this but for " + near->second));
  if (const auto far = first_that(RuleVerdict::lacks_operation))
    return refused(denied(far->first.name, "rule " + far->first.name + " does not allow the operation " + operation));
  return refused(denied({}, "no rule of the policy speaks of uid " + std::to_string(caller.uid) +
                                (caller.user ? " (" + *caller.user + ")" : "") + " or of one of its groups"));
}

}  // namespace umlnet::policy
