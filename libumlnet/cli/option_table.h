// Long options from several places, as one table for getopt_long().
#pragma once

#include <getopt.h>

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "libumlnet/cli/trouble.h"

namespace umlnet::cli {

// What getopt_long() returns for long options without a letter: each place that has some counts from one of these on.
enum FirstOption : int { kOwnOptions = 256, kHelperOptions = 512, kPumpOptions = 768, kDeviceOptions = 1024 };

inline std::vector<option> option_table(std::initializer_list<std::span<const option>> parts) {
  std::vector<option> table;
  for (const auto& part : parts) table.insert(table.end(), part.begin(), part.end());
  table.push_back({nullptr, 0, nullptr, 0});
  return table;
}

// Whether one of `takers` has taken what getopt_long() returned; each of them is asked in its turn (take()).
template <class... Takers>
Outcome<bool> taken_by(int letter, const std::string& value, Takers&... takers) {
  Outcome<bool> taken = false;
  const auto ask = [&](auto& taker) {
    if (taken && !*taken) taken = taker.take(letter, value);
  };
  (ask(takers), ...);
  return taken;
}

}  // namespace umlnet::cli
