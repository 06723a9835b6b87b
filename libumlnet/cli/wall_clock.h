// Points in time as people read and write them, in the time zone of whoever asks or in UTC.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libumlnet/core/timestamp.h"

namespace umlnet::cli {

enum class Zone { local, utc };

std::string date_text(Microseconds time, Zone zone);        // "2026-11-24"
std::string clock_text(Microseconds time, Zone zone);       // "05:45:57"
std::string fine_clock_text(Microseconds time, Zone zone);  // "05:45:57.546"
// "05:45:57" for a time of today, "2026-11-24" for others.
std::string short_text(Microseconds time, Microseconds now, Zone zone);
// "local time (CET)" or "UTC", as they are at `time`.
std::string zone_text(Microseconds time, Zone zone);

// How far back --since goes: "90s", "10m", "2h", "3d" or "1w" before `now`; "today" or "yesterday", from midnight on;
// RFC 3339, or a date with or without a time of day ("2026-11-24", "2026-11-24 05:45") in `zone`. Nothing for anything
// else.
std::optional<Microseconds> parse_since(std::string_view text, Microseconds now, Zone zone);

}  // namespace umlnet::cli
