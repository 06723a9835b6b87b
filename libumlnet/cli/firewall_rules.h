// What a firewall does with packets that the host forwards, from what nft and iptables list.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umlnet::cli {

// One chain through which every forwarded IPv4 packet goes.
struct ForwardChain {
  std::string name;                 // for a person: "ip filter FORWARD"
  std::vector<std::string> insert;  // the commands that let frames of TAPs pass, but for the rule's own words
  bool drops = false;               // what no rule accepts
  bool names_taps = false;          // a rule of its table accepts packets from or to tap*
};

// The output of `nft -j list ruleset`; nothing where it is something else.
std::optional<std::vector<ForwardChain>> chains_of_nft(std::string_view json);

// The output of `iptables -S`, made by `program`.
ForwardChain chain_of_iptables(std::string_view listing, const std::string& program);

}  // namespace umlnet::cli
