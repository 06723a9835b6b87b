#include "libumlnet/cli/audit_words.h"

#include <cstdio>

#include "libumlnet/cli/rate_display.h"
#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

// "/24" for a dotted netmask; nothing for that of a single address, which says nothing.
std::string prefix_length(const std::string& netmask) {
  const auto dotted = Ipv4::parse(netmask);
  const auto mask = dotted ? Ipv4Mask::from_address(*dotted) : std::nullopt;
  if (!mask) return netmask.empty() ? "" : "/" + netmask;
  return mask->length() == 32 ? "" : "/" + std::to_string(mask->length());
}

std::string joined(const std::vector<std::string>& texts, const char* between) {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "" : between) + text;
  return all;
}

// An option without a value for a person, by the name of its key.
std::string flag_in_words(const std::string& key) {
  if (key == "vnet_hdr") return "virtio-net headers";
  if (key == "netns") return "in a network namespace of the caller's";
  if (key == "anti_spoof") return "no spoofing";
  return key;
}

// What `open` asked for beyond the device's name.
std::string options_in_words(const AuditEntry& entry) {
  std::string text;
  const auto add = [&](const char* what, const std::string& value) {
    if (!value.empty()) text += std::string(", ") + what + value;
  };
  add(entry.addresses.size() == 1 ? "address " : "addresses ", joined(entry.addresses, " "));
  add(entry.guests.size() == 1 ? "guest " : "guests ", joined(entry.guests, " "));
  add(entry.guest_macs.size() == 1 ? "guest's MAC " : "guest's MACs ", joined(entry.guest_macs, " "));
  if (entry.mtu) add("MTU ", std::to_string(*entry.mtu));
  add("MAC ", entry.mac);
  add("for ", entry.owner);
  if (entry.queues) add("", std::to_string(*entry.queues) + " queues");
  for (const auto& flag : entry.flags) add("", flag_in_words(flag));
  return text;
}

std::string failure(const AuditEntry& entry) {
  return entry.error + (entry.errno_name.empty() ? "" : " (" + entry.errno_name + ")");
}

std::string unescaped_request(const AuditEntry& entry) {
  if (entry.is_summary()) return "";
  if (entry.operation.empty()) return "not understood";
  std::string text = entry.operation;
  const std::string& device = entry.any_device();
  if (!entry.address.empty()) {
    text += " " + entry.address + prefix_length(entry.netmask);
    if (!device.empty()) text += (entry.operation == "del" ? " from " : " to ") + device;
  } else if (!device.empty() && entry.operation != "gc") {
    text += " " + device;
  }
  if (!entry.gateway.empty()) text += ", gateway " + entry.gateway;
  if (!entry.bridge.empty()) text += ", bridge " + entry.bridge;
  return text + options_in_words(entry);
}

std::string unescaped_words(const AuditEntry& entry) {
  const auto suppressed = [&] {
    return std::to_string(entry.suppressed) + " more requests that changed nothing have no line of their own";
  };
  if (entry.is_summary()) return entry.reason.empty() ? suppressed() : entry.reason;
  std::string text = unescaped_request(entry);
  if (entry.intent) return text;
  const auto add = [&](const char* between, const std::string& more) {
    if (!more.empty()) text += between + more;
  };
  switch (entry.event) {
    case AuditEntry::Event::accept:
      if (entry.changes.empty() && entry.operation == "session")
        text += " begun";
      else if (entry.operation == "reload")
        add(": ", entry.reason);
      else if (entry.changes.empty())
        text += ", nothing to change";
      else if (entry.operation == "gc")
        add(": ", joined(entry.changes, "; "));
      if (!entry.rule.empty() && entry.operation != "gc") text += " (rule " + entry.rule + ")";
      break;
    case AuditEntry::Event::reject:
    case AuditEntry::Event::alert:
      add(": ", entry.error.empty() ? entry.reason : failure(entry));
      add("; ", joined(entry.changes, "; "));
      break;
    case AuditEntry::Event::exit:
      if (entry.session) {
        if (entry.duration_us) text += " after " + duration_in_words(*entry.duration_us);
        add(": ", entry.error.empty() ? entry.session->ended : failure(entry));
        if (entry.suppressed != 0) add("; ", suppressed());
      } else {
        add(": ", failure(entry));
        add("; ", joined(entry.changes, "; "));
      }
      break;
  }
  return text;
}

}  // namespace

std::string who(const AuditEntry& entry) {
  return entry.user.empty() ? std::to_string(entry.uid) : printable(entry.user);
}

std::string request_in_words(const AuditEntry& entry) { return printable(unescaped_request(entry)); }

std::string entry_in_words(const AuditEntry& entry) { return printable(unescaped_words(entry)); }

std::string duration_in_words(std::uint64_t microseconds) {
  constexpr std::uint64_t kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute;
  char text[64];
  const auto value = static_cast<double>(microseconds);
  if (microseconds < 1000)
    std::snprintf(text, sizeof text, "%.0f us", value);
  else if (microseconds < kSecond)
    std::snprintf(text, sizeof text, microseconds < 9'950 ? "%.1f ms" : "%.0f ms", value / 1e3);
  else if (microseconds < kMinute)
    std::snprintf(text, sizeof text, "%.1f s", value / 1e6);
  else if (microseconds < kHour)
    return std::to_string(microseconds / kMinute) + " min " + std::to_string(microseconds % kMinute / kSecond) + " s";
  else
    return std::to_string(microseconds / kHour) + " h " + std::to_string(microseconds % kHour / kMinute) + " min";
  return text;
}

std::string short_count(std::uint64_t count) { return short_number(static_cast<double>(count)); }

}  // namespace umlnet::cli
