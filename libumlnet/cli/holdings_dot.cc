#include "libumlnet/cli/holdings_dot.h"

#include <algorithm>
#include <set>

#include "libumlnet/cli/audit_words.h"
#include "libumlnet/cli/rate_display.h"
#include "libumlnet/cli/user_names.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

constexpr const char* kFrame = R"dot(digraph umlnet {
  graph [rankdir=LR, nodesep=0.22, ranksep=0.9, pad=0.35, bgcolor="white", labelloc=t, labeljust=l, fontsize=15,
         fontname="Helvetica", fontcolor="#334155"];
  node [fontname="Helvetica", fontsize=11, fontcolor="#0f172a", penwidth=1.2, shape=box, style="rounded,filled",
        margin="0.16,0.08"];
  edge [color="#94a3b8", penwidth=1.3, arrowsize=0.6, fontname="Helvetica", fontsize=9, fontcolor="#64748b"];

)dot";

constexpr const char* kUserLook = R"(fillcolor="#dbeafe", color="#3b82f6")";
constexpr const char* kGuestLook = R"(fillcolor="#dcfce7", color="#22c55e")";
constexpr const char* kLanLook = R"(fillcolor="#fef3c7", color="#f59e0b", penwidth=1.8)";
constexpr const char* kLeftoverLook = R"(fillcolor="#fee2e2", color="#ef4444", style="rounded,filled,dashed")";

// A string of DOT, which has the escapes \" and \\. A byte that is not printable shows as \xHH.
std::string dot_string(const std::string& text) { return in_quotes(printable(text), text.npos); }

// For a label in <>, which is HTML.
std::string html(const std::string& text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string small(const std::string& text) {
  return R"(<font point-size="9" color="#64748b">)" + html(text) + "</font>";
}

std::string two_lines(const std::string& first, const std::string& second) {
  return "<<b>" + html(first) + "</b><br/>" + small(second) + ">";
}

std::string node(const std::string& name, const std::string& label, const char* look) {
  return "  " + dot_string(name) + " [label=" + label + ", " + look + "];\n";
}

std::string edge(const std::string& from, const std::string& to, const std::string& more = "") {
  return "  " + dot_string(from) + " -> " + dot_string(to) + (more.empty() ? "" : " [" + more + "]") + ";\n";
}

std::string row(const std::string& what, const std::string& value) {
  return "<tr><td align=\"left\">" + small(what) + "</td><td align=\"left\">" + html(value) + "</td></tr>";
}

std::string bytes(std::uint64_t count) { return short_number(static_cast<double>(count), " ") + "B"; }

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

// A card: the name, and below it what there is to say.
std::string device_label(const Holdings::Device& device, Microseconds now, Zone zone) {
  std::string label = R"(<<table border="0" cellborder="0" cellspacing="1" cellpadding="1"><tr><td colspan="2"><b>)" +
                      html(device.name) + "</b></td></tr>";
  if (!device.gateways.empty()) label += row("gateway", joined(device.gateways));
  for (const auto& holder : device.holders)
    label += row("holder", holder.command + " " + std::to_string(holder.pid) + (holder.elsewhere ? "?" : ""));
  if (device.queues > 1) label += row("queues", std::to_string(device.queues));
  for (const auto& [is_so, word] :
       {std::pair(device.persistent, "persistent"), {device.sealed, "sealed"}, {device.isolated, "isolated"}})
    if (is_so) label += row(word, "yes");
  label += row("from guest", bytes(device.rx_bytes) + ", " + short_count(device.rx_packets) + " frames");
  label += row("to guest", bytes(device.tx_bytes) + ", " + short_count(device.tx_packets) + " frames");
  if (device.since) label += row("since", short_text(*device.since, now, zone));
  if (device.leftover) {
    label += row("why", device.leftover->why);
    label += row("remedy", device.leftover->remedy);
  }
  return label + "</table>>";
}

std::string of_user(uid_t uid) { return "user " + std::to_string(uid); }
std::string of_device(const std::string& name) { return "device " + name; }
std::string of_lan(const std::string& name) { return "lan " + name; }

}  // namespace

std::string holdings_dot(const Holdings& holdings, const std::string& title, Microseconds now, Zone zone) {
  std::string text = kFrame;
  text += "  label=" + dot_string(title) + ";\n\n";

  std::set<uid_t> users;
  for (const auto& device : holdings.devices) users.insert(device.uid);
  for (const uid_t uid : users)
    text += node(of_user(uid), two_lines(user_text(uid), "uid " + std::to_string(uid)), kUserLook);

  for (const auto& device : holdings.devices) {
    const std::string name = of_device(device.name);
    text += node(name, device_label(device, now, zone),
                 device.leftover ? kLeftoverLook : R"(fillcolor="#f8fafc", color="#64748b")");
    text += edge(of_user(device.uid), name);
    if (!device.bridge.empty()) text += edge(name, of_lan(device.bridge), "label=\"bridged\"");
    for (const auto& guest : device.guests) {
      const std::string address = "guest " + guest.address;
      text += node(address, dot_string(guest.address), kGuestLook);
      text += edge(name, address);
      for (const auto& lan : guest.lans) {
        // A LAN may be another guest's device, whose node is there already.
        const bool is_device =
            std::ranges::find(holdings.devices, lan, &Holdings::Device::name) != holdings.devices.end();
        text += edge(address, is_device ? of_device(lan) : of_lan(lan),
                     is_device ? R"(style=dashed, constraint=false)" : "style=dashed");
      }
    }
  }
  for (const auto& lan : holdings.lans)
    text += node(of_lan(lan.name), two_lines(lan.name, lan.addresses.empty() ? "no address" : joined(lan.addresses)),
                 kLanLook);
  for (const auto& leftover : holdings.leftovers)
    text +=
        node("leftover " + leftover.what,
             "<<b>" + html(leftover.what) + "</b><br/>" + small(leftover.why) + "<br/>" + small(leftover.remedy) + ">",
             kLeftoverLook);
  return text + "}\n";
}

}  // namespace umlnet::cli
