#include "libumlnet/cli/rate_display.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "libumlnet/cli/totals.h"

namespace umlnet::cli {
namespace {

constexpr std::chrono::milliseconds kInterval{1000};

std::string in_words(const umlnet_direction& now, const umlnet_direction& before, double seconds) {
  const auto rate = [&](std::uint64_t more, std::uint64_t less) { return static_cast<double>(more - less) / seconds; };
  // Drops since the beginning: a rate of them would be missed.
  return short_number(rate(now.frames, before.frames)) + " frames/s " +
         short_number(8 * rate(now.bytes, before.bytes), " ") + "bit/s " +
         short_number(static_cast<double>(dropped(now))) + " drops";
}

}  // namespace

std::string short_number(double value, const char* between) {
  constexpr std::array kUnits = {"", "k", "M", "G", "T", "P", "E"};
  std::size_t unit = 0;
  // From where it would be rounded up to four digits.
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, unit > 0 && value < 9.95 ? "%.1f%s%s" : "%.0f%s%s", value, between, kUnits[unit]);
  return text;
}

RateDisplay::~RateDisplay() {
  if (begun_) std::fputc('\n', stderr);
}

int RateDisplay::timeout_ms() const {
  if (!shown_) return -1;
  const auto left = last_time_ + kInterval - Clock::now();
  return static_cast<int>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::milliseconds>(left + std::chrono::milliseconds(1)).count()));
}

void RateDisplay::show(const umlnet_counters& counters) {
  const auto now = Clock::now();
  if (!shown_ || now < last_time_ + kInterval) return;
  const double seconds = std::chrono::duration<double>(now - last_time_).count();
  // Written over in one go, and only what is left of a longer line is erased: nothing flickers. 80 columns hold it.
  const std::string line = "\r-> " + in_words(counters.a_to_b, last_.a_to_b, seconds) + "   <- " +
                           in_words(counters.b_to_a, last_.b_to_a, seconds) + "\033[K";
  std::fputs(line.c_str(), stderr);
  begun_ = true;
  last_time_ = now;
  last_ = counters;
}

}  // namespace umlnet::cli
