#include "libumlnet/cli/audit_table.h"

#include <algorithm>
#include <utility>

#include "libumlnet/cli/audit_words.h"
#include "libumlnet/cli/terminal.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

// Rows are written as they come, so the columns cannot wait for the longest name: it pushes its own row to the right.
constexpr int kTime = 8, kId = 8, kUser = 8, kOutcome = 10;
constexpr std::size_t kBefore = kTime + kId + kUser + kOutcome + 8;
constexpr std::size_t kNarrowest = 24;  // for the last column, however narrow the terminal

}  // namespace

void AuditTable::add(const AuditEntry& entry) { add(entry, outcome_of(entry)); }

void AuditTable::add(const AuditEntry& entry, std::string_view outcome) {
  if (std::string day = date_text(entry.time, zone_); day != day_) {
    std::fprintf(out_, "%s%s, %s\n", day_.empty() ? "" : "\n", day.c_str(), zone_text(entry.time, zone_).c_str());
    if (day_.empty())
      std::fprintf(out_, "%-*s  %-*s  %-*s  %-*s  %s\n", kTime, "TIME", kId, "ID", kUser, "USER", kOutcome, "OUTCOME",
                   "WHAT");
    day_ = std::move(day);
  }
  const std::string id = printable(entry.id.substr(0, kId)), user = who(entry);
  std::fprintf(out_, "%-*s  %-*s  %-*s  %-*.*s  ", kTime, clock_text(entry.time, zone_).c_str(), kId, id.c_str(), kUser,
               user.c_str(), kOutcome, static_cast<int>(outcome.size()), outcome.data());
  const auto lines =
      wrapped(entry_in_words(entry), width_ == 0 ? 0 : std::max(kNarrowest, width_ - std::min(width_, kBefore)));
  std::fprintf(out_, "%s\n", lines.front().c_str());
  for (std::size_t i = 1; i < lines.size(); ++i)
    std::fprintf(out_, "%*s%s\n", static_cast<int>(kBefore), "", lines[i].c_str());
}

}  // namespace umlnet::cli
