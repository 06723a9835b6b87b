#include "libumlnet/cli/audit_story.h"

#include <utility>

#include "libumlnet/cli/audit_words.h"
#include "libumlnet/cli/terminal.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

constexpr std::size_t kIndent = 14;  // behind the time

std::string frames_in_words(const AuditEntry::Direction& direction, const char* dropped_because) {
  std::string text = std::to_string(direction.frames) + " frames, " + short_count(direction.bytes) + "B";
  const auto add = [&](std::uint64_t count, const char* what) {
    if (count != 0) text += ", " + std::to_string(count) + " " + what;
  };
  add(direction.dropped, dropped_because);
  add(direction.too_long, "too long");
  add(direction.too_short, "too short");
  return text;
}

// "result" and how it came about: "accepted", "failed: ... (EBUSY)".
std::string result_in_words(const AuditEntry& entry) {
  const std::string lasted = entry.duration_us ? " after " + duration_in_words(*entry.duration_us) : "";
  std::string request = request_in_words(entry);
  if (entry.session) return "session ended" + lasted + ": " + printable(entry.session->ended);
  switch (entry.event) {
    case AuditEntry::Event::accept: return request + ": done" + lasted;
    case AuditEntry::Event::exit:
      return request + (entry.is_unfinished ? ": not known what came of it" : ": done, and undone") + lasted;
    case AuditEntry::Event::reject: return request + (entry.error.empty() ? ": refused" : ": failed" + lasted);
    case AuditEntry::Event::alert: return request + ": alert";
  }
  return request;
}

}  // namespace

void AuditStory::begin(const AuditEntry& entry) {
  std::fprintf(out_, "%s%s\n", id_.empty() ? "" : "\n", printable(entry.id).c_str());
  std::string by =
      "by " + (entry.user.empty() ? "" : printable(entry.user) + ", ") + "uid " + std::to_string(entry.uid);
  if (entry.gid) by += ", gid " + std::to_string(*entry.gid);
  if (entry.loginuid && *entry.loginuid != entry.uid) by += ", logged in as uid " + std::to_string(*entry.loginuid);
  if (entry.sessionid) by += ", login session " + std::to_string(*entry.sessionid);
  if (entry.helper_pid) by += ", helper " + std::to_string(*entry.helper_pid);
  if (entry.pid) by += ", its parent " + std::to_string(*entry.pid);
  if (!entry.protocol.empty() && entry.protocol != "none") by += ", protocol " + printable(entry.protocol);
  for (const auto& text : wrapped(by, width_)) std::fprintf(out_, "%s\n", text.c_str());
  id_ = entry.id;
  day_.clear();
  for (const auto& summary : std::exchange(in_front_, {}))
    if (summary.id == id_) tell(summary);
}

void AuditStory::line(const std::string& text) {
  const auto lines = wrapped(text, width_ > 2 * kIndent ? width_ - kIndent : 0);
  std::fprintf(out_, "%s\n", lines.front().c_str());
  for (std::size_t i = 1; i < lines.size(); ++i)
    std::fprintf(out_, "%*s%s\n", static_cast<int>(kIndent), "", lines[i].c_str());
}

void AuditStory::detail(const std::string& text) {
  if (text.empty()) return;
  std::fprintf(out_, "%*s", static_cast<int>(kIndent), "");
  line(text);
}

void AuditStory::add(const AuditEntry& entry) {
  if (entry.id != id_ && entry.is_summary()) {
    in_front_.push_back(entry);
    return;
  }
  // A beginning of an id may fit several.
  if (entry.id != id_) {
    end();
    begin(entry);
  }
  tell(entry);
}

void AuditStory::tell(const AuditEntry& entry) {
  if (std::string day = date_text(entry.time, zone_); day != day_) {
    std::fprintf(out_, "\n%s, %s\n", day.c_str(), zone_text(entry.time, zone_).c_str());
    day_ = std::move(day);
  }
  std::fprintf(out_, "%-*s", static_cast<int>(kIndent), fine_clock_text(entry.time, zone_).c_str());

  if (entry.is_summary()) {
    line("before this, of " + who(entry) + ": " + entry_in_words(entry));
    return;
  }
  if (entry.intent) {
    line(request_in_words(entry) + ": granted");
    detail(printable(entry.reason));
    begun_.insert(entry.operation);
    return;
  }
  const bool had_intent = begun_.erase(entry.operation) != 0 || entry.session;
  line(result_in_words(entry));
  if (!had_intent) detail(printable(entry.reason));
  if (!entry.error.empty())
    detail(printable(entry.error) + (entry.errno_name.empty() ? "" : " (" + printable(entry.errno_name) + ")"));
  if (!entry.untrusted.empty()) {
    std::string words = "the caller's words:";  // escaped in the log already
    for (const auto& word : entry.untrusted) words += " \"" + printable(word) + "\"";
    detail(words);
  }
  if (entry.session) {
    detail("to the guest: " + frames_in_words(entry.session->to_guest, "dropped, because it did not read"));
    detail("to the host: " + frames_in_words(entry.session->to_host, "dropped, because the device was down"));
    detail(std::to_string(entry.session->addresses_added) + " addresses added, " +
           std::to_string(entry.session->addresses_removed) + " removed");
  }
  for (const auto& change : entry.changes) detail(printable(change));
  const bool may_change = entry.operation != "session" && entry.operation != "reload";
  if (entry.changes.empty() && entry.event == AuditEntry::Event::accept && may_change) detail("nothing to change");
  if (entry.suppressed != 0)
    detail(std::to_string(entry.suppressed) + " more requests that changed nothing have no line of their own");
}

void AuditStory::end() {
  for (const auto& operation : begun_)
    std::fprintf(out_,
                 "%s: no result is on record. The helper was killed, could not write it, or is still at work; what it "
                 "did may stand.\n",
                 printable(operation).c_str());
  begun_.clear();
}

}  // namespace umlnet::cli
