#include "libumlnet/cli/wall_clock.h"

#include <ctime>

#include "libumlnet/cli/words.h"

namespace umlnet::cli {
namespace {

using namespace std::chrono;

std::tm broken_down(Microseconds time, Zone zone) {
  const std::time_t seconds_since_epoch = floor<seconds>(time).time_since_epoch().count();
  std::tm parts{};
  if (zone == Zone::utc)
    ::gmtime_r(&seconds_since_epoch, &parts);
  else
    ::localtime_r(&seconds_since_epoch, &parts);
  return parts;
}

std::string formatted(const std::tm& parts, const char* format) {
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

// The moment at which clocks in `zone` show what they show in UTC at `shown`.
std::optional<Microseconds> when_clocks_show(Microseconds shown, Zone zone) {
  if (zone == Zone::utc) return shown;
  std::tm parts = broken_down(shown, Zone::utc);
  parts.tm_isdst = -1;
  const std::time_t moment = std::mktime(&parts);
  if (moment == -1) return std::nullopt;
  return sys_seconds(seconds(moment)) + (shown - floor<seconds>(shown));
}

std::optional<Microseconds> midnight(Microseconds time, Zone zone) {
  const auto day = parse_rfc3339(date_text(time, zone) + "T00:00:00Z");
  return day ? when_clocks_show(*day, zone) : std::nullopt;
}

std::optional<seconds> unit_of(char letter) {
  switch (letter) {
    case 's': return seconds(1);
    case 'm': return minutes(1);
    case 'h': return hours(1);
    case 'd': return days(1);
    case 'w': return weeks(1);
    default: return std::nullopt;
  }
}

}  // namespace

std::string date_text(Microseconds time, Zone zone) { return formatted(broken_down(time, zone), "%Y-%m-%d"); }

std::string clock_text(Microseconds time, Zone zone) { return formatted(broken_down(time, zone), "%H:%M:%S"); }

std::string fine_clock_text(Microseconds time, Zone zone) {
  const auto fraction = duration_cast<milliseconds>(time - floor<seconds>(time)).count();
  const std::string digits = std::to_string(1000 + fraction);
  return clock_text(time, zone) + "." + digits.substr(1);
}

std::string short_text(Microseconds time, Microseconds now, Zone zone) {
  const std::string date = date_text(time, zone);
  return date == date_text(now, zone) ? clock_text(time, zone) : date;
}

std::string zone_text(Microseconds time, Zone zone) {
  return zone == Zone::utc ? "UTC" : "local time (" + formatted(broken_down(time, zone), "%Z") + ")";
}

std::optional<Microseconds> parse_since(std::string_view text, Microseconds now, Zone zone) {
  if (text == "today") return midnight(now, zone);
  // Days of 23 and 25 hours have a yesterday, too.
  if (text == "yesterday")
    if (const auto today = midnight(now, zone)) return midnight(*today - hours(12), zone);
  if (const auto unit = text.empty() ? std::nullopt : unit_of(text.back()))
    if (const auto count = number(text.substr(0, text.size() - 1), 1'000'000)) return now - *count * *unit;
  if (const auto time = parse_rfc3339(text)) return time;

  std::string shown(text);
  if (shown.size() == 10) shown += "T00:00:00";
  if (shown.size() == 16) shown += ":00";
  if (shown.size() > 10 && shown[10] == ' ') shown[10] = 'T';
  const auto time = parse_rfc3339(shown + "Z");
  return time ? when_clocks_show(*time, zone) : std::nullopt;
}

}  // namespace umlnet::cli
