#include "libumlnet/core/timestamp.h"

#include <cstdio>

namespace umlnet {
namespace {

using namespace std::chrono;

// Reads a text from left to right.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  // That many digits, no more and no less are taken.
  std::optional<int> digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // A number of at most `most` behind `lead`.
  std::optional<int> field(char lead, int most) {
    const auto value = take(lead) ? digits(2) : std::nullopt;
    return value && *value <= most ? value : std::nullopt;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// What stands behind the point, if one does; nothing where no digit does.
std::optional<microseconds> fraction(Reader& reader) {
  if (!reader.take('.')) return microseconds(0);
  int value = 0, count = 0;
  while (const auto digit = reader.digits(1)) {
    if (count < 6) value = value * 10 + *digit;
    ++count;
  }
  for (int i = count; i < 6; ++i) value *= 10;
  return count > 0 ? std::optional(microseconds(value)) : std::nullopt;
}

// East of Greenwich.
std::optional<minutes> offset(Reader& reader) {
  if (reader.take('Z')) return minutes(0);
  const bool east = reader.take('+');
  if (!east && !reader.take('-')) return std::nullopt;
  const auto hour = reader.digits(2);
  const auto minute = reader.field(':', 59);
  if (!hour || *hour > 23 || !minute) return std::nullopt;
  const auto size = hours(*hour) + minutes(*minute);
  return east ? size : -size;
}

}  // namespace

std::string rfc3339(sys_seconds time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", int(date.year()), unsigned(date.month()),
                unsigned(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return text;
}

std::string rfc3339(Microseconds time) {
  const auto whole = floor<seconds>(time);
  std::string text = rfc3339(whole);
  char behind[16];
  std::snprintf(behind, sizeof behind, ".%06dZ", static_cast<int>((time - whole).count()));
  text.replace(text.size() - 1, 1, behind);
  return text;
}

std::optional<Microseconds> parse_rfc3339(std::string_view text) {
  Reader reader(text);
  const auto year_number = reader.digits(4);
  const auto month_number = reader.field('-', 12);
  const auto day_number = reader.field('-', 31);
  const auto hour = reader.field('T', 23);
  const auto minute = reader.field(':', 59);
  const auto second = reader.field(':', 60);  // 60: a leap second
  if (!year_number || !month_number || !day_number || !hour || !minute || !second) return std::nullopt;
  const year_month_day date{year(*year_number), month(static_cast<unsigned>(*month_number)),
                            day(static_cast<unsigned>(*day_number))};
  const auto behind = fraction(reader);
  const auto zone = behind ? offset(reader) : std::nullopt;
  if (!date.ok() || !zone || !reader.at_end()) return std::nullopt;
  return sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second) + *behind - *zone;
}

}  // namespace umlnet
