// What a fuzz target holds to: like assert(), but in every build, and with the values that libFuzzer's report needs.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "libumlnet/core/error.h"

namespace umlnet::fuzz {

[[noreturn]] inline void broken(const char* what, const char* file, int line, std::string_view detail) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  if (!detail.empty()) std::fprintf(stderr, "with: %.*s\n", static_cast<int>(detail.size()), detail.data());
  std::abort();
}

// Fit for a terminal and a log: one line of printable ASCII.
inline bool is_one_line(std::string_view text) {
  for (const char c : text)
    if (c < ' ' || c > '~') return false;
  return !text.empty();
}

}  // namespace umlnet::fuzz

#define REQUIRE_THAT(condition, ...)                                                                         \
  do {                                                                                                       \
    if (!(condition)) ::umlnet::fuzz::broken(#condition, __FILE__, __LINE__, std::string_view(__VA_ARGS__)); \
  } while (false)

namespace umlnet::fuzz {

// An error that a person can use: what and why not on one line, whatever bytes led to it.
inline void require_readable(const Error& error) {
  REQUIRE_THAT(is_one_line(error.line()));
  REQUIRE_THAT(is_one_line(error.one_line()));
  REQUIRE_THAT(error.text().ends_with('\n'));
  REQUIRE_THAT(exit_status_of(error.code) > 0 && exit_status_of(error.code) < 126);
  REQUIRE_THAT(error.code != Code::bug);
}

}  // namespace umlnet::fuzz
