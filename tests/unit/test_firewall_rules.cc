#include <doctest/doctest.h>

#include <cstddef>
#include <string>

#include "libumlnet/cli/firewall_rules.h"

namespace umlnet::cli {
namespace {

std::string chain(const std::string& family, const std::string& table, const std::string& name,
                  const std::string& more) {
  return R"({"chain": {"family": ")" + family + R"(", "table": ")" + table + R"(", "name": ")" + name + R"(")" + more +
         "}}";
}

std::string rule(const std::string& chain, const std::string& expressions) {
  return R"({"rule": {"family": "ip", "table": "filter", "chain": ")" + chain + R"(", "expr": [)" + expressions + "]}}";
}

std::string ruleset(const std::string& items) {
  return R"({"nftables": [{"metainfo": {"json_schema_version": 1}}, )" + items + "]}";
}

constexpr const char* kForward = R"(, "type": "filter", "hook": "forward", "prio": 0, "policy": ")";
constexpr const char* kFromTap =
    R"({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "tap*"}}, {"accept": null})";

TEST_CASE("firewall: the chains that forwarded packets go through, in nft's words") {
  const auto forward = [](const std::string& policy) {
    return chain("ip", "filter", "FORWARD", kForward + policy + "\"");
  };
  struct Case {
    std::string items;
    std::size_t chains;
    bool drops, names_taps;
    std::string insert;  // the first command
  };
  const Case cases[] = {
      {chain("ip", "filter", "INPUT", R"(, "type": "filter", "hook": "input", "policy": "drop")"), 0, false, false, ""},
      {chain("ip", "nat", "FORWARD", R"(, "type": "nat", "hook": "forward", "policy": "drop")"), 0, false, false, ""},
      {chain("ip6", "filter", "FORWARD", kForward + std::string("drop\"")), 0, false, false, ""},
      {chain("bridge", "filter", "FORWARD", kForward + std::string("drop\"")), 0, false, false, ""},
      {forward("accept"), 1, false, false, ""},
      {forward("drop"), 1, true, false, "nft 'insert rule ip filter FORWARD iifname \"tap*\" accept'"},
      {chain("inet", "x", "fwd", kForward + std::string("drop\"")), 1, true, false,
       "nft 'insert rule inet x fwd iifname \"tap*\" accept'"},
      {forward("drop") + ", " + chain("ip", "filter", "DOCKER-USER", ""), 1, true, false,
       "iptables -I DOCKER-USER -i tap+ -j ACCEPT"},
      {forward("drop") + ", " + rule("FORWARD", kFromTap), 1, true, true, ""},
      {forward("drop") + ", " + rule("DOCKER-USER", kFromTap), 1, true, true, ""},
      {forward("accept") + ", " + rule("FORWARD", R"({"counter": {"packets": 1, "bytes": 2}}, {"reject": null})"), 1,
       true, false, ""},
      {forward("accept") + ", " + rule("other", R"({"drop": null})"), 1, false, false, ""},
      {forward("accept") + ", " +
           rule("FORWARD",
                R"({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "x0"}}, {"drop": null})"),
       1, false, false, ""},
      {forward("drop") + ", " +
           rule(
               "FORWARD",
               R"({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": {"set": ["a"]}}}, {"accept": null})"),
       1, true, false, ""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.items);
    const auto chains = chains_of_nft(ruleset(c.items));
    REQUIRE(chains.has_value());
    REQUIRE(chains->size() == c.chains);
    if (chains->empty()) continue;
    CHECK(chains->front().drops == c.drops);
    CHECK(chains->front().names_taps == c.names_taps);
    if (!c.insert.empty()) CHECK(chains->front().insert.front() == c.insert);
  }
  for (const auto* text : {"", "{", "[]", "{\"nftables\": 7}", "Operation not permitted"})
    CHECK_FALSE(chains_of_nft(text));
  CHECK(chains_of_nft(ruleset("7, {\"chain\": 7}, {\"rule\": {\"expr\": [7, null]}}")).has_value());
}

TEST_CASE("firewall: FORWARD in the words of iptables") {
  CHECK_FALSE(chain_of_iptables("-P INPUT DROP\n-P FORWARD ACCEPT\n", "iptables").drops);
  CHECK(chain_of_iptables("-P FORWARD DROP\n", "iptables").drops);
  CHECK(chain_of_iptables("-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-port-unreachable", "iptables")
            .drops);
  CHECK_FALSE(chain_of_iptables("-P FORWARD ACCEPT\n-A FORWARD -i x0 -j DROP\n", "iptables").drops);
  const auto docker = chain_of_iptables("-P FORWARD DROP\n-N DOCKER-USER\n", "iptables-legacy");
  CHECK(docker.insert.front() == "iptables-legacy -I DOCKER-USER -i tap+ -j ACCEPT");
  CHECK_FALSE(docker.names_taps);
  CHECK(chain_of_iptables("-P FORWARD DROP\n-A FORWARD -i tap+ -j ACCEPT\n", "iptables").names_taps);
}

}  // namespace
}  // namespace umlnet::cli
