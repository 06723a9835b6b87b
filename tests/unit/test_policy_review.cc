#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "fake_host.h"
#include "libumlnet/cli/policy_places.h"
#include "libumlnet/cli/policy_review.h"
#include "policy/loader/load.h"

namespace umlnet::cli {
namespace {

constexpr const char* kPasswd = "alice:x:1001:1001::/:/bin/sh\nbob:x:1002:1002::/:/bin/sh\n";
constexpr const char* kGroup = "umlnet:x:990:alice\nempty:x:991:\nbob:x:1002:\n";

policy::PolicyText file(const std::string& rules) {
  return {"p.json", "{\"version\": 1, \"rules\": [\n" + rules + "\n]}"};
}

std::vector<PolicyWarning> warnings_of(const std::string& rules, const policy::HostState* host = nullptr) {
  const auto text = file(rules);
  const auto policy = policy::load({&text, 1}, policy::Accounts(kPasswd, kGroup));
  REQUIRE_MESSAGE(policy.has_value(), (policy ? "" : policy.error().what));
  return review(*policy, Memberships(kPasswd, kGroup), host);
}

// "KIND RULE KEY ITEM: TEXT", one a line.
std::string told(const std::vector<PolicyWarning>& warnings) {
  std::string text;
  for (const auto& one : warnings)
    text += one.kind + " " + one.rule + " " + one.key + " " + one.item + ": " + one.text + "\n";
  return text;
}

// An allow rule with all that a request can ask for, and `more`.
std::string allow(const std::string& name, const std::string& more = "") {
  return R"({"name": ")" + name + R"(", "users": ["alice"], "operations": ["tuntap", "address"],
    "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16"])" +
         more + "}";
}

std::string deny(const std::string& name, const std::string& more) {
  return R"({"name": ")" + name + R"(", "effect": "deny")" + more + "}";
}

std::string port(const std::string& name, const std::string& bridges) {
  return R"({"name": ")" + name + R"(", "users": [7], "operations": ["bridge"], "bridges": )" + bridges + "}";
}

TEST_CASE("review: a policy that is meant as it is gets no warning") {
  CHECK(told(warnings_of(allow("a"))) == "");
  CHECK(told(warnings_of(deny("d", R"(, "users": ["*"], "operations": ["ethertap", "bridge", "open"])") + ", " +
                         allow("a"))) == "");
  CHECK(told(warnings_of(deny("d", R"(, "users": ["*"], "operations": ["open"])"))) == "");
}

TEST_CASE("review: the native protocol's rules") {
  const auto open = [](const std::string& name, const std::string& more) {
    return R"({"name": ")" + name + R"(", "users": ["alice"], "operations": ["open"])" + more + "}";
  };
  const auto tuntap = [](const std::string& more) {
    return R"({"name": "t", "users": ["alice"], "operations": ["tuntap"])" + more + "}";
  };
  struct Case {
    std::string rules;
    std::string warning;  // a part of what is told; empty: nothing is
  };
  const Case cases[] = {
      {open("a", ""), ""},
      {open("a", R"(, "max_devices": 0)"), "never-decides a  : it can never decide: max_devices is 0"},
      {open("a", R"(, "anti_spoof": true)"), "it wants an anti-spoofing filter, which is made of guest addresses"},
      {open("a", R"(, "anti_spoof": true, "guests": ["fd00::/64"])"), ""},
      {open("a", R"(, "isolated": true)"), "no-effect a isolated : it has no effect: the rule lists no bridges"},
      {open("a", R"(, "sealed": true, "vnet_hdr": true)"), "no-effect a vnet_hdr : it has no effect: the rule wants"},
      {open("a", R"(, "sealed": true, "max_queues": 2)"), "no-effect a max_queues "},
      {open("a", R"(, "sealed": true, "max_mtu": 9000)"), ""},
      {tuntap(R"(, "max_queues": 2)"), "no-effect t max_queues : it has no effect: only open asks for it"},
      {tuntap(R"(, "sealed": true)"), "never-decides t  : it can never decide: it wants sealed interfaces only"},
      {tuntap(R"(, "anti_spoof": true)"), "it wants interfaces with an anti-spoofing filter only"},
      {R"({"name": "b", "users": [7], "operations": ["bridge"], "bridges": ["br0"], "isolated": true})",
       "it wants isolated ports only"},
      {open("a", "") + ", " + open("b", ""),
       "never-decides b  : it can never decide: the rule \"a\", which comes first"},
      {open("a", "") + ", " + open("b", R"(, "max_queues": 2)"), ""},
      {open("a", R"(, "sealed": true)") + ", " + open("b", ""), ""},
      {open("a", R"(, "max_queues": 2)") + ", " + open("b", R"(, "sealed": true)"), "which comes first"},
      {open("a", "") + ", " + open("b", R"(, "bridges": ["br0"])"), ""},
      {open("a", "") + ", " + open("b", R"(, "guests": ["fd00::/64"])"), ""},
      {deny("d", R"(, "users": ["*"], "operations": ["open"])") + ", " + open("a", ""),
       "the deny rule \"d\" matches all that it would grant"},
      {deny("d", R"(, "users": ["*"], "operations": ["open"], "bridges": ["br0"])") + ", " +
           open("a", R"(, "bridges": ["br0"])"),
       ""},
      {deny("d", R"(, "users": ["*"], "operations": ["open"], "guests": ["fd00::/64"], "bridges": ["br0"])"), ""},
      {open("a", R"(, "guests": ["fe80::/64"])"),
       "no-such-address a guests fe80::/64: fe80::/64 holds no address that can be granted: fe80::/10 is link-local"},
      {open("a", R"(, "guests": ["fe00::/7"])"), ""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.rules);
    const auto text = told(warnings_of(c.rules));
    CHECK_MESSAGE((c.warning.empty() ? text.empty() : text.contains(c.warning)), text);
  }

  auto host = test::small_host();
  host.ipv6_addresses = {{2, *Ipv6::parse("fd00:50::1"), 64, false}};
  host.ipv6_routes = {{*Ipv6::parse("fd00:50::"), 64, 2, std::nullopt, 2},
                      {Ipv6(), 0, 2, *Ipv6::parse("fd00:50::fe"), 2}};
  const auto text =
      told(warnings_of(open("a", R"(, "guests": ["fd00:50::/96"], "gateways": ["fd00:50::/64"])"), &host));
  for (const auto* part : {"fd00:50::/96 holds fd00:50::1, the host's own address on eth0, which no guest can have",
                           "fd00:50::/96 holds fd00:50::fe, the host's gateway on eth0",
                           "fd00:50::/96 lies in the LAN of eth0, which the rule does not list",
                           "fd00:50::/64 holds fd00:50::1, the host's own address on eth0: callers may have it"})
    CHECK_MESSAGE(text.contains(part), text);
}

TEST_CASE("review: rules that can never decide") {
  struct Case {
    std::string rules;
    std::string told;  // a part; empty: nothing is told
  };
  const std::string everything = R"({"name": "all", "users": ["*"], "operations": ["tuntap", "address", "ethertap"],
    "devices": ["t*"], "gateways": ["10.0.0.0/8"], "guests": ["10.0.0.0/8"])";
  const Case cases[] = {
      // hidden by an earlier one
      {everything + "}, " + allow("a"), "never-decides a  : it can never decide: the rule \"all\", which comes first"},
      {allow("a") + ", " + everything + "}", ""},
      {everything + R"(, "max_devices": 1}, )" + allow("a"), "never-grants a operations address: "},
      {everything + R"(, "max_devices": 1, "max_addresses": 1}, )" + allow("a"), ""},
      {everything + "}, " + allow("a", R"(, "max_devices": 17)"), "never-grants a operations address: "},
      {R"({"name": "g", "groups": ["umlnet"], "operations": ["tuntap"]}, {"name": "a", "users": ["alice"],
          "operations": ["tuntap"]})",
       ""},
      {R"({"name": "b", "users": [1001, 1002], "operations": ["tuntap"]}, {"name": "a", "users": ["alice"],
          "operations": ["tuntap"]})",
       "never-decides a  : "},
      {everything + R"(}, {"name": "e", "users": [7], "operations": ["ethertap"], "devices": ["tap[0-9]"]})",
       "never-decides e  : it can never decide: the rule \"all\""},
      {everything + R"(}, {"name": "e", "users": [7], "operations": ["ethertap"], "devices": ["uml*"]})", ""},
      // denied
      {deny("d", R"(, "users": ["*"])") + ", " + allow("a"), "it can never decide: the deny rule \"d\" matches all"},
      {allow("a") + ", " + deny("d", R"(, "users": [1001])"), "it can never decide: the deny rule \"d\" matches all"},
      {allow("a") + ", " + deny("d", R"(, "users": [1002])"), ""},
      {allow("a") + ", " + deny("d", R"(, "groups": ["umlnet"])"), ""},
      {allow("a") + ", " + deny("d", R"(, "users": ["*"], "operations": ["tuntap"])"),
       "never-grants a operations tuntap: it can never grant tuntap: the deny rule \"d\""},
      {allow("a") + ", " + deny("d", R"(, "users": ["*"], "guests": ["10.0.0.0/8"])"),
       "never-grants a operations address: "},
      {allow("a") + ", " + deny("d", R"(, "users": ["*"], "gateways": ["0.0.0.0/0"])"), ""},
      {allow("a") + ", " + deny("d", R"(, "users": ["*"], "lan": ["eth0"])"), ""},
      // nothing in it
      {R"({"name": "a", "users": ["alice"]})", "it lists no operations"},
      {R"({"name": "a", "users": ["alice"], "operations": []})", "never-decides a operations : it lists no operations"},
      {R"({"name": "a", "users": ["alice"], "operations": ["address"]})", "lists no IPv4 addresses under \"guests\""},
      {R"({"name": "a", "users": ["alice"], "operations": ["address"], "guests": ["fd00::/64"]})", "lists no IPv4"},
      {R"({"name": "a", "users": ["alice"], "operations": ["ethertap"]})", "lists no devices that it could name"},
      {R"({"name": "a", "users": ["alice"], "operations": ["ethertap"], "devices": ["."]})", "lists no devices"},
      {allow("a", R"(, "max_devices": 0)"), "it can never grant tuntap: max_devices is 0"},
      {allow("a", R"(, "max_addresses": 0)"), "it can never grant address: max_addresses is 0"},
      // an address that is denied as a guest's and not as a gateway, or the other way round
      {allow("a") + ", " + deny("d", R"(, "users": ["*"], "guests": ["10.99.1.0/24"])"),
       "passes d guests 10.99.1.0/24: 10.99.1.0/24 is denied under \"guests\" only: rule a still grants such "
       "addresses "
       "to "
       "tuntap under \"gateways\"; if it is not to, add a deny rule with \"gateways\": [\"10.99.1.0/24\"]"},
      {allow("a") + ", " + deny("d", R"(, "users": ["alice"], "gateways": ["10.99.1.0/24"])"),
       "passes d gateways 10.99.1.0/24: "},
      {allow("a") + ", " + deny("d", R"(, "users": ["*"], "guests": ["10.99.1.0/24"])") + ", " +
           deny("e", R"(, "users": ["*"], "gateways": ["10.99.1.0/24"])"),
       ""},
      {allow("a") + ", " + deny("d", R"(, "users": ["*"], "guests": ["10.99.1.0/24"])") + ", " +
           deny("e", R"(, "users": ["*"], "operations": ["ethertap"], "gateways": ["10.99.1.0/24"])"),
       "passes d guests"},
      {allow("a") + ", " + deny("d", R"(, "users": [1002], "guests": ["10.99.1.0/24"])"), ""},
      {allow("a") + ", " + deny("d", R"(, "users": ["*"], "guests": ["10.98.1.0/24"])"), ""},
      {allow("a") + ", " + deny("d", R"(, "users": ["*"], "guests": ["fd00:99::/64"])"), ""},
      // The gateways of the rule are in the range, and so are meant.
      {R"({"name": "a", "users": ["alice"], "operations": ["tuntap", "address"], "gateways": ["10.99.0.254"],
          "guests": ["10.99.0.0/16"]}, )" +
           deny("d", R"(, "users": ["*"], "guests": ["10.99.0.240/28"])"),
       ""},
      {R"({"name": "a", "users": ["alice"], "operations": ["bridge"], "bridges": ["br0"], "max_devices_per_bridge": 0})",
       "max_devices_per_bridge is 0"},
      {R"({"name": "a", "users": ["alice"], "operations": ["open"], "owners": [7], "owner_groups": [8]})",
       "no-effect a owner_groups : it has no effect: the rule does not set persistent"},
      {R"({"name": "a", "users": ["alice"], "operations": ["open"], "persistent": true, "owners": [7]})", ""},
      {R"({"name": "a", "users": ["alice"], "operations": ["tuntap"], "infrastructure": ["vrrp"]})",
       "no-effect a infrastructure : it has no effect: only open asks for it"},
      {R"({"name": "a", "users": ["alice"], "operations": ["tuntap"], "max_devices_per_bridge": 2})",
       "no-effect a max_devices_per_bridge : it has no effect: the rule lists no bridges"},
      {R"({"name": "f", "users": ["*"], "operations": ["bridge"], "bridges": ["br0"], "max_devices_per_bridge": 1},
          {"name": "a", "users": ["alice"], "operations": ["bridge"], "bridges": ["br0"]})",
       ""},
      {R"({"name": "f", "users": ["*"], "operations": ["bridge"], "bridges": ["br0"], "max_devices_per_bridge": 2},
          {"name": "a", "users": ["alice"], "operations": ["bridge"], "bridges": ["br0"], "max_devices_per_bridge": 2})",
       "never-decides a"},
      // bridges
      {port("a", R"(["br0"])"), ""},
      {R"({"name": "a", "users": [7], "operations": ["bridge"]})", "lists none under \"bridges\""},
      {port("a", "[]"), "lists none under \"bridges\""},
      {port("a", R"(["br0"], "max_devices": 0)"), "it can never decide: max_devices is 0"},
      {port("a", R"(["br0", "br1"])") + ", " + port("b", R"(["br1"])"),
       "never-decides b  : it can never decide: the rule"},
      {port("a", R"(["br0"])") + ", " + port("b", R"(["br0", "br1"])"), ""},
      {port("a", R"(["br0"], "max_devices": 1)") + ", " + port("b", R"(["br0"])"), ""},
      {deny("d", R"(, "users": ["*"], "bridges": ["br0"])") + ", " + port("a", R"(["br0"])"), "never-decides a  : "},
      {deny("d", R"(, "users": ["*"], "bridges": ["br0"])") + ", " + port("a", R"(["br0", "br1"])"), ""},
      {deny("d", R"(, "users": ["*"], "operations": ["bridge"])") + ", " + port("a", R"(["br0"])"),
       "never-decides a  : "},
      // nobody
      {R"({"name": "a", "users": ["ghost"], "operations": ["tuntap"]})", "it speaks of nobody"},
      {R"({"name": "a", "users": ["ghost"], "operations": ["tuntap"]})",
       "nobody a users ghost: \"ghost\" is not in /etc/passwd"},
      {R"({"name": "a", "groups": ["ghosts", "umlnet"], "operations": ["tuntap"]})",
       "nobody a groups ghosts: \"ghosts\" is not in /etc/group"},
      {R"({"name": "a", "groups": ["empty"], "operations": ["tuntap"]})",
       "nobody a groups empty: the group \"empty\" has no"},
      {R"({"name": "a", "groups": ["bob"], "operations": ["tuntap"]})", ""},
      // what nobody can have
      {allow("a", R"(, "devices": ["tap*", ".."])"), "no-such-name a devices ..: "},
      {allow("a", R"(, "lan": ["eth*", "."])"), "no-such-name a lan .: "},
      {port("a", R"(["."])"), "no-such-name a bridges .: "},
      {port("a", R"(["br*"])") + ", " + port("b", R"(["br1"])"), "never-decides b  : it can never decide: the rule"},
      {deny("d", R"(, "users": ["*"], "bridges": ["*"])") + ", " + port("a", R"(["br0", "br1"])"),
       "never-decides a  : "},
      {R"({"name": "a", "users": [7], "operations": ["tuntap"], "gateways": ["127.0.0.0/8", "10.0.0.0/8"]})",
       "no-such-address a gateways 127.0.0.0/8: 127.0.0.0/8 holds no address that can be granted: "},
      {R"({"name": "a", "users": [7], "operations": ["tuntap"], "gateways": ["0.0.0.0/0"]})", ""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.rules);
    const auto words = told(warnings_of(c.rules));
    if (c.told.empty())
      CHECK(words == "");
    else
      CHECK_MESSAGE(words.find(c.told) != std::string::npos, words);
  }
}

TEST_CASE("review: ranges and devices against the host's own") {
  const auto host = test::small_host();  // eth0 with 10.50.0.1/24 behind 10.50.0.254, tap0 with 10.99.0.254
  const auto with = [&](const std::string& more) {
    return told(warnings_of(R"({"name": "a", "users": [7], "operations": ["tuntap", "address"])" + more + "}", &host));
  };
  CHECK(with(R"(, "guests": ["10.99.0.0/16"], "gateways": ["10.99.0.0/16"])") == "");
  CHECK(with(R"(, "guests": ["10.50.0.32/27"], "lan": ["eth0"])") == "");
  const auto wide = with(R"(, "guests": ["10.50.0.0/24"], "lan": ["eth0"])");
  CHECK_MESSAGE(wide.find("host-address a guests 10.50.0.0/24: 10.50.0.0/24 holds 10.50.0.1, the host's own address on "
                          "eth0") != std::string::npos,
                wide);
  CHECK_MESSAGE(wide.find("holds 10.50.0.254, the host's gateway on eth0") != std::string::npos, wide);
  CHECK(with(R"(, "guests": ["10.99.0.0/16"], "gateways": ["10.50.0.1"])") == "");
  const auto gateways = with(R"(, "guests": ["10.99.0.0/16"], "gateways": ["10.50.0.0/24"])");
  CHECK_MESSAGE(gateways.find("host-address a gateways 10.50.0.0/24: ") != std::string::npos, gateways);
  const auto unseen = with(R"(, "guests": ["10.50.0.32/27"])");
  CHECK_MESSAGE(unseen.find("not-published a guests 10.50.0.32/27: ") != std::string::npos, unseen);
  const auto bridges = with(R"(, "guests": ["10.99.0.0/16"], "bridges": ["br9", "eth0"])");
  CHECK_MESSAGE(
      bridges.find("no-such-device a bridges br9: there is no bridge br9 on this host now") != std::string::npos,
      bridges);
  CHECK_MESSAGE(bridges.find("no-such-device a bridges eth0: the device eth0 is not a bridge") != std::string::npos,
                bridges);
  CHECK(with(R"(, "guests": ["10.50.0.32/27"], "lan": ["e*"])") == "");
  const auto patterns = with(R"(, "guests": ["10.99.0.0/16"], "bridges": ["e*"], "lan": ["wan*"])");
  CHECK_MESSAGE(patterns.contains("no-such-device a bridges e*: there is no bridge e* on this host now"), patterns);
  CHECK_MESSAGE(patterns.contains("no-such-device a lan wan*: there is no device wan* on this host now"), patterns);
  const auto missing = with(R"(, "guests": ["10.99.0.0/16"], "lan": ["wan9"])");
  CHECK_MESSAGE(missing.find("no-such-device a lan wan9: there is no device wan9") != std::string::npos, missing);
}

TEST_CASE("places: of rules, keys and items") {
  const auto text = file(
      "{\"name\": \"a\",\n\"users\": [\n7,\n\"alice\"],\n\"guests\": [\n\"10.99.0.1\"]},\n{\"name\": \"b\", \"users\": "
      "[1]}");
  const PolicyPlaces places({&text, 1});
  CHECK(places.of("a").str() == "p.json:2");
  CHECK(places.of("a", "users").str() == "p.json:3");
  CHECK(places.of("a", "users", "alice").str() == "p.json:5");
  CHECK(places.of("a", "users", "ghost").str() == "p.json:3");
  CHECK(places.of("a", "guests", "10.99.0.1/32").str() == "p.json:7");
  CHECK(places.of("a", "lan").str() == "p.json:2");
  CHECK(places.of("b").str() == "p.json:8");
  CHECK(places.of("c").line == 0);
}

}  // namespace
}  // namespace umlnet::cli
