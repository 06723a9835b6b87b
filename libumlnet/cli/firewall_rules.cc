#include "libumlnet/cli/firewall_rules.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace umlnet::cli {
namespace {

using nlohmann::json;

std::string text(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// An expression of a rule is an object with one key, its kind.
bool has_kind(const json& rule, std::initializer_list<const char*> kinds) {
  const auto expressions = rule.find("expr");
  if (expressions == rule.end() || !expressions->is_array()) return false;
  return std::ranges::any_of(*expressions, [&](const json& expression) {
    return std::ranges::any_of(kinds,
                               [&](const char* kind) { return expression.is_object() && expression.contains(kind); });
  });
}

bool is_last_word(const json& rule) { return has_kind(rule, {"drop", "reject"}) && !has_kind(rule, {"match"}); }

// A match of a device's name against one that begins with "tap".
bool names_taps(const json& rule) {
  if (!has_kind(rule, {"accept"})) return false;
  return std::ranges::any_of(rule["expr"], [](const json& expression) {
    const auto match = expression.find("match");
    if (match == expression.end() || !match->is_object()) return false;
    const auto left = match->value("left", json::object()), right = match->value("right", json());
    const auto key = left.is_object() ? text(left.value("meta", json::object()), "key") : "";
    return (key == "iifname" || key == "oifname") && right.is_string() && right.get<std::string>().starts_with("tap");
  });
}

std::vector<std::string> iptables_commands(const std::string& program, const std::string& chain) {
  return {program + " -I " + chain + " -i tap+ -j ACCEPT", program + " -I " + chain + " -o tap+ -j ACCEPT"};
}

// In quotes for the shell, which would take the star for a pattern of its own.
std::vector<std::string> nft_commands(const std::string& chain) {
  const auto accept = [&](const std::string& key) {
    return "nft 'insert rule " + chain + " " + key + " \"tap*\" accept'";
  };
  return {accept("iifname"), accept("oifname")};
}

struct NftChain {
  std::string family, table, name;
  bool forwards = false, drops = false;
};

}  // namespace

std::optional<std::vector<ForwardChain>> chains_of_nft(std::string_view listing) {
  const auto all = json::parse(listing, nullptr, false);
  if (!all.is_object() || !all.contains("nftables") || !all["nftables"].is_array()) return std::nullopt;
  std::vector<NftChain> chains;
  std::vector<const json*> rules;
  bool docker = false;
  for (const auto& item : all["nftables"]) {
    if (!item.is_object()) continue;
    if (const auto rule = item.find("rule"); rule != item.end()) rules.push_back(&*rule);
    const auto chain = item.find("chain");
    if (chain == item.end()) continue;
    const auto family = text(*chain, "family");
    docker |= family == "ip" && text(*chain, "table") == "filter" && text(*chain, "name") == "DOCKER-USER";
    const bool forwards =
        text(*chain, "hook") == "forward" && text(*chain, "type") == "filter" && (family == "ip" || family == "inet");
    if (forwards)
      chains.push_back({family, text(*chain, "table"), text(*chain, "name"), true, text(*chain, "policy") == "drop"});
  }

  std::vector<ForwardChain> found;
  for (const auto& chain : chains) {
    const auto name = chain.family + " " + chain.table + " " + chain.name;
    ForwardChain forward{name, nft_commands(name), chain.drops, false};
    for (const auto* rule : rules) {
      if (text(*rule, "family") != chain.family || text(*rule, "table") != chain.table) continue;
      forward.names_taps |= names_taps(*rule);
      // A chain whose last rule, as firewalld makes it, refuses what has come so far.
      forward.drops |= text(*rule, "chain") == chain.name && is_last_word(*rule);
    }
    if (docker && name == "ip filter FORWARD") forward.insert = iptables_commands("iptables", "DOCKER-USER");
    found.push_back(std::move(forward));
  }
  return found;
}

ForwardChain chain_of_iptables(std::string_view listing, const std::string& program) {
  ForwardChain chain{"FORWARD of " + program, iptables_commands(program, "FORWARD"), false, false};
  while (!listing.empty()) {
    const auto end = std::min(listing.find('\n'), listing.size());
    const auto line = listing.substr(0, end);
    listing.remove_prefix(std::min(end + 1, listing.size()));
    chain.drops |=
        line == "-P FORWARD DROP" || line == "-A FORWARD -j DROP" || line.starts_with("-A FORWARD -j REJECT");
    chain.names_taps |= (line.contains(" -i tap") || line.contains(" -o tap")) && line.ends_with("-j ACCEPT");
    if (line == "-N DOCKER-USER") chain.insert = iptables_commands(program, "DOCKER-USER");
  }
  return chain;
}

}  // namespace umlnet::cli
