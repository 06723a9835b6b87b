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
  return text;
}

std::string unescaped_words(const AuditEntry& entry) {
  if (entry.is_summary())
    return std::to_string(entry.suppressed) + " more without lines of their own" +
           (entry.reason.empty() ? "" : ": " + entry.reason);
  const std::string request = unescaped_request(entry);
  if (entry.intent) return request;
  switch (entry.event) {
    case AuditEntry::Event::accept: {
      const bool is_gc = entry.operation == "gc";
      if (is_gc && !entry.changes.empty()) return request + ": " + joined(entry.changes, "; ");
      return request + (entry.changes.empty() ? ", all there already" : "") +
             (entry.rule.empty() || is_gc ? "" : " (rule " + entry.rule + ")");
    }
    case AuditEntry::Event::reject:
    case AuditEntry::Event::alert: return request + ": " + (entry.error.empty() ? entry.reason : failure(entry));
    case AuditEntry::Event::exit: {
      if (!entry.session) return request + ": " + failure(entry) + "; " + joined(entry.changes, "; ");
      const std::string lasted = entry.duration_us ? " after " + duration_in_words(*entry.duration_us) : "";
      return request + lasted + ": " + (entry.error.empty() ? entry.session->ended : failure(entry)) +
             (entry.suppressed == 0 ? ""
                                    : "; " + std::to_string(entry.suppressed) +
                                          " more refusals without lines of "
                                          "their own");
    }
  }
  return request;
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
