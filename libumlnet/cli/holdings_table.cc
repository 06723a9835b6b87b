#include "libumlnet/cli/holdings_table.h"

#include "libumlnet/cli/audit_words.h"
#include "libumlnet/cli/text_table.h"
#include "libumlnet/cli/user_names.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

using Cell = std::vector<std::string>;

Cell or_dash(Cell lines) {
  if (lines.empty()) lines.emplace_back("-");
  return lines;
}

Cell holders_cell(const Holdings::Device& device) {
  Cell lines;
  for (const auto& holder : device.holders)
    lines.push_back(printable(holder.command) + " " + std::to_string(holder.pid) + (holder.elsewhere ? "?" : ""));
  return or_dash(std::move(lines));
}

// Guests and their LANs in two columns, line by line: an address on two LANs takes two lines.
std::pair<Cell, Cell> guests_cells(const Holdings::Device& device) {
  Cell guests, lans;
  if (!device.bridge.empty()) {
    guests.emplace_back("(bridged)");
    lans.push_back(printable(device.bridge));
  }
  for (const auto& guest : device.guests) {
    guests.push_back(guest.address);
    for (std::size_t i = 0; i < guest.lans.size(); ++i) {
      if (i != 0) guests.emplace_back();
      lans.push_back(printable(guest.lans[i]));
    }
    if (guest.lans.empty()) lans.emplace_back("-");
  }
  return {or_dash(std::move(guests)), or_dash(std::move(lans))};
}

std::string device_text(const Holdings::Device& device) {
  std::string remarks;
  const auto remark = [&](bool is_so, const std::string& words) {
    if (is_so) remarks += (remarks.empty() ? "" : ", ") + words;
  };
  remark(device.queues > 1, std::to_string(device.queues) + " queues");
  remark(device.persistent, "persistent");
  remark(device.sealed, "sealed");
  remark(device.isolated, "isolated");
  remark(!device.up && !device.leftover, "down");
  return printable(device.name) + (remarks.empty() ? "" : " (" + remarks + ")") + (device.leftover ? " !" : "");
}

}  // namespace

std::string holdings_table(const Holdings& holdings, Microseconds now, Zone zone) {
  std::string text;
  std::vector<Leftover> leftovers;
  if (!holdings.devices.empty()) {
    TextTable table({{"DEVICE"}, {"USER"}, {"HOLDER"}, {"GATEWAY"}, {"GUESTS"}, {"LAN"}, {"RX/TX"}, {"SINCE"}});
    for (const auto& device : holdings.devices) {
      auto [guests, lans] = guests_cells(device);
      table.add({{device_text(device)},
                 {user_text(device.uid)},
                 holders_cell(device),
                 or_dash(device.gateways),
                 std::move(guests),
                 std::move(lans),
                 {short_count(device.rx_bytes) + "/" + short_count(device.tx_bytes)},
                 {device.since ? short_text(*device.since, now, zone) : "-"}});
      if (device.leftover) leftovers.push_back(*device.leftover);
    }
    text += table.str();
  }
  leftovers.insert(leftovers.end(), holdings.leftovers.begin(), holdings.leftovers.end());
  if (!leftovers.empty()) text += std::string(text.empty() ? "" : "\n") + "Left behind, or at odds:\n";
  for (const auto& leftover : leftovers)
    text += "  " + printable(leftover.what) + ": " + printable(leftover.why) +
            "\n    fix: " + printable(leftover.remedy) + "\n";
  return text.empty() ? "uml_net has nothing on this host: no device, no address, nothing left behind\n" : text;
}

}  // namespace umlnet::cli
