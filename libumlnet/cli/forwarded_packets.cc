#include "libumlnet/cli/forwarded_packets.h"

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <set>
#include <vector>

#include "libumlnet/cli/firewall_rules.h"
#include "libumlnet/cli/holdings.h"
#include "libumlnet/cli/kernel_setting.h"
#include "libumlnet/cli/matched_devices.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

using policy::HostState;

// The devices to LANs that guests are to be seen in.
struct Lans {
  std::set<std::string> said;       // --lan
  std::set<std::string> listed;     // in a rule that allows
  std::set<std::string> published;  // guests are seen there now
  bool policy_known = true;

  std::set<std::string> all() const {
    auto names = said;
    names.insert(listed.begin(), listed.end());
    names.insert(published.begin(), published.end());
    return names;
  }
};

Lans lans_of(const Examination& examination, const HostState& host) {
  Lans lans;
  if (examination.lan) {
    const auto* link = host.link(*examination.lan);
    lans.said.insert(link != nullptr ? link->name : *examination.lan);
  }
  const auto facts = examination.host.policy();
  lans.policy_known = facts.has_value();
  const auto is_in_use = [](const rtnetlink::Link& link) { return link.up && link.carrier; };
  for (const auto& rule : facts ? facts->policy.rules : std::vector<policy::Rule>{})
    if (rule.effect == policy::Effect::allow && rule.lan)
      lans.listed.merge(matched_devices(*rule.lan, host, is_in_use));
  for (const auto& entry : host.proxy_entries)
    if (const auto* link = host.link(entry.ifindex);
        link != nullptr && rtnetlink::is_our_protocol(entry.protocol) && !is_stale(host, entry))
      lans.published.insert(link->name);
  return lans;
}

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string joined(const std::vector<std::string>& commands) {
  std::string text;
  for (const auto& command : commands) text += (text.empty() ? "" : " && ") + command;
  return text;
}

std::string turn_on(const std::string& device) { return "sysctl -w net.ipv4.conf." + device + ".forwarding=1"; }

// What the firewall does with what is forwarded, as far as this user can see.
struct Firewall {
  std::vector<ForwardChain> chains;
  std::vector<std::string> asked;   // programs that answered
  std::vector<std::string> silent;  // programs that did not, and why
};

Firewall ask_firewall(const HostView& host) {
  Firewall firewall;
  const auto ask = [&](const std::string& name,
                       std::initializer_list<const char*> words) -> std::optional<std::string> {
    const auto path = host.find_program(name);
    if (!path) return std::nullopt;
    std::vector<std::string> command = {*path};
    command.insert(command.end(), words.begin(), words.end());
    const auto output = host.run(command);
    if (output && output->status == 0) {
      firewall.asked.push_back(name);
      return output->out;
    }
    const auto said = output ? output->err.substr(0, output->err.find('\n')) : output.error().line();
    firewall.silent.push_back(name + ": " + said);
    return std::nullopt;
  };
  if (const auto listing = ask("nft", {"-j", "list", "ruleset"})) {
    if (auto chains = chains_of_nft(*listing)) firewall.chains = *std::move(chains);
  } else if (const auto rules = ask("iptables-nft", {"-S"})) {
    firewall.chains.push_back(chain_of_iptables(*rules, "iptables"));
  }
  // The old tables show in iptables-legacy alone. It is not asked where they are not: asking would make them.
  const auto tables = host.read("/proc/net/ip_tables_names");
  if (!tables && tables.error().errnum != ENOENT) firewall.silent.push_back(tables.error().line());
  if (tables && tables->contains("filter")) {
    const std::string program = host.find_program("iptables-legacy") ? "iptables-legacy" : "iptables";
    if (const auto rules = ask(program, {"-S"})) firewall.chains.push_back(chain_of_iptables(*rules, program));
  }
  return firewall;
}

const ForwardChain* first_drop(const Firewall& firewall) {
  const auto it =
      std::ranges::find_if(firewall.chains, [](const ForwardChain& chain) { return chain.drops && !chain.names_taps; });
  return it != firewall.chains.end() ? &*it : nullptr;
}

Finding firewall_unseen(const Firewall& firewall) {
  if (firewall.silent.empty())
    return cannot_tell("neither nft nor iptables is there to list the firewall's rules", "apt-get install nftables");
  return cannot_tell("only root may list the firewall's rules (" + firewall.silent.front() + ")");
}

Finding network_unseen(const Error& error) { return cannot_tell(error.line(), "see whether ip link says more"); }

}  // namespace

Finding examine_lan(const Examination& examination) {
  const auto host = examination.host.network();
  if (!host) return network_unseen(host.error());
  const auto lans = lans_of(examination, *host);
  for (const auto& name : lans.said)
    if (host->link(name) == nullptr) return problem("there is no device " + name + " on this host", "ip -br link");
  for (const auto& name : lans.all()) {
    const auto* link = host->link(name);
    if (link == nullptr)
      return warning("a rule lists the LAN device " + name + ", and there is none of that name", "ip -br link");
    if (!link->up) return problem("the LAN device " + name + " is down", "ip link set " + name + " up");
    if (!link->carrier) return warning("the LAN device " + name + " has no carrier", "see to its cable or its peer");
  }
  if (lans.all().empty())
    return ok(lans.policy_known ? "no rule lists a LAN: guests are seen by this host only"
                                : "no LAN was named; the policy was not seen");
  return ok(joined(lans.all()) + (lans.all().size() == 1 ? " is there, and up" : " are there, and up"));
}

Finding examine_forwarding(const Examination& examination) {
  const auto host = examination.host.network();
  if (!host) return network_unseen(host.error());
  const auto lans = lans_of(examination, *host);
  for (const auto& name : lans.published)
    if (const auto* link = host->link(name); link != nullptr && !link->ipv4.forwarding)
      return problem("guests are published in the LAN of " + name + ", and forwarding was turned off there",
                     turn_on(name));
  for (const auto& entry : host->proxy_entries) {
    const auto* route = rtnetlink::is_our_protocol(entry.protocol) ? host->route_to_guest(entry.address) : nullptr;
    const auto* device = route != nullptr ? host->link(route->ifindex) : nullptr;
    if (device != nullptr && !device->ipv4.forwarding)
      return problem("a guest is published, and forwarding was turned off on its device " + device->name,
                     turn_on(device->name));
  }
  if (host->all.forwarding) return ok("forwarding is on");
  for (const auto& name : lans.said)
    if (const auto* link = host->link(name);
        link != nullptr && !link->ipv4.forwarding && lans.policy_known && !lans.listed.contains(name))
      return warning("forwarding is off, and no rule lists " + name + ", so uml_net will not turn it on there",
                     "put \"lan\": [" + in_quotes(name) + "] into a rule of the policy; or " + turn_on(name));
  const auto lan = lans.all();
  if (!lan.empty())
    return ok("forwarding is off, and uml_net turns it on for " + joined(lan) +
              " with the first guest that is published there");
  if (!lans.policy_known) return cannot_tell("forwarding is off; whether uml_net will turn it on is in the policy");
  return warning("forwarding is off, and no rule lists a LAN: guests reach this host and nothing behind it",
                 "where they are to: put a device into \"lan\" of a rule; or, with NAT of your own, sysctl -w "
                 "net.ipv4.ip_forward=1");
}

Finding examine_firewall(const Examination& examination) {
  const auto firewall = ask_firewall(examination.host);
  const auto* drop = first_drop(firewall);
  if (drop == nullptr && !firewall.silent.empty()) return firewall_unseen(firewall);
  if (drop == nullptr && firewall.asked.empty()) return firewall_unseen(firewall);
  if (drop == nullptr) return ok("the firewall drops no forwarded packets of guests by default");
  const auto found = "the firewall drops forwarded packets that no rule accepts, as Docker sets it up (" + drop->name +
                     "), and none accepts those of tap devices";
  const auto mend = joined(drop->insert);
  const auto host = examination.host.network();
  const bool forwards = host && (host->all.forwarding || !lans_of(examination, *host).all().empty());
  return forwards ? problem(found, mend) : warning(found + "; guests that only this host sees do not mind", mend);
}

Finding examine_bridge_filter(const Examination& examination) {
  const auto on = kernel_setting(examination.host, "/proc/sys/net/bridge/bridge-nf-call-iptables");
  if (!on) return ok("frames between ports of a bridge do not go through the firewall (no br_netfilter)");
  if (*on == 0) return ok("frames between ports of a bridge do not go through the firewall");
  const auto firewall = ask_firewall(examination.host);
  const auto mend = "sysctl -w net.bridge.bridge-nf-call-iptables=0";
  if (first_drop(firewall) != nullptr)
    return warning("frames between ports of a bridge go through the firewall, which drops them", mend);
  if (firewall.asked.empty())
    return cannot_tell("frames between ports of a bridge go through the firewall; what it does was not seen",
                       firewall_unseen(firewall).mend);
  return ok("frames between ports of a bridge go through the firewall, which lets them pass");
}

Finding examine_reverse_path(const Examination& examination) {
  const auto host = examination.host.network();
  if (!host) return network_unseen(host.error());
  auto names = lans_of(examination, *host).all();
  if (names.empty())
    for (const auto& route : host->routes)
      if (const auto* link = host->link(route.ifindex); route.mask.length() == 0 && link != nullptr)
        names.insert(link->name);
  constexpr int kStrict = 1;
  const auto all = kernel_setting(examination.host, "/proc/sys/net/ipv4/conf/all/rp_filter");
  for (const auto& name : names) {
    const auto own = kernel_setting(examination.host, "/proc/sys/net/ipv4/conf/" + name + "/rp_filter");
    if (std::max(all.value_or(0), own.value_or(0)) == kStrict)
      return warning(
          "rp_filter is strict on " + name + ": packets whose way back leads through another device are dropped",
          "where the LAN is on several devices: sysctl -w net.ipv4.conf." + name + ".rp_filter=2");
  }
  return ok(names.empty() ? "no device to a LAN to look at: --lan DEV" : "rp_filter is not strict on " + joined(names));
}

Finding examine_leftovers(const Examination& examination) {
  const auto host = examination.host.network();
  if (!host) return network_unseen(host.error());
  std::set<std::string> left;
  for (const auto& link : host->links)
    if (policy::is_abandoned(link)) left.insert("device " + link.name);
  for (const auto& entry : host->proxy_entries)
    if (policy::is_stale(*host, entry)) {
      const auto* link = host->link(entry.ifindex);
      left.insert("proxy entry " + entry.address.str() + (link != nullptr ? " on " + link->name : ""));
    }
  std::set<std::string> missing;
  for (const auto& thing : missing_things(*host)) missing.insert(thing.what);
  if (left.empty() && missing.empty()) return ok("guests lack nothing, and those that are gone left nothing behind");
  std::string found;
  if (!left.empty()) found = "guests that are gone left behind: " + joined(left);
  if (!missing.empty())
    found += (found.empty() ? "" : "; ") + std::string("lost by events of the network: ") + joined(missing);
  return warning(found, (examination.helper.empty() ? "uml_net" : examination.helper) + " gc");
}

}  // namespace umlnet::cli
