#include "libumlnet/core/timestamp.h"

#include <cstddef>

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

// At least so many digits. Not by snprintf, the code of which costs the helper more than all else about a record.
template <class Number>
std::string padded(Number number, std::size_t digits) {
  std::string text = std::to_string(number);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

}  // namespace

std::string rfc3339(sys_seconds time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return padded(int(date.year()), 4) + '-' + padded(unsigned(date.month()), 2) + '-' + padded(unsigned(date.day()), 2) +
         'T' + padded(clock.hours().count(), 2) + ':' + padded(clock.minutes().count(), 2) + ':' +
         padded(clock.seconds().count(), 2) + 'Z';
}

std::string rfc3339(Microseconds time) {
  const auto whole = floor<seconds>(time);
  std::string text = rfc3339(whole);
  text.back() = '.';
  return text + padded((time - whole).count(), 6) + 'Z';
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
