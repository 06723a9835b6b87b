// Points in time as RFC 3339 writes them. By the calendar of <chrono>: gmtime() would read the time zone's file, which
// the privileged program does not open.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace umlnet {

using Microseconds = std::chrono::sys_time<std::chrono::microseconds>;

// "2026-11-24T04:45:57Z" and "2026-11-24T04:45:57.546233Z".
std::string rfc3339(std::chrono::sys_seconds time);
std::string rfc3339(Microseconds time);

// Date, "T", time of day with or without a fraction, and "Z" or an offset such as "+01:00"; of the fraction six digits
// are kept. Nothing for anything else, a 30th of February included.
std::optional<Microseconds> parse_rfc3339(std::string_view text);

}  // namespace umlnet
