// What a pump has done, when it is over.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "umlnet/umlnet.h"

namespace umlnet::cli {

struct Totals {
  enum class Ended { stopped, a_gone, b_gone, failed };

  std::string a, b;  // the names of the ends
  Ended ended = Ended::stopped;
  std::string error;  // why it failed
  double seconds = 0;
  umlnet_counters counters = {};
};

// Frames that were read and not written at the far end.
std::uint64_t dropped(const umlnet_direction& direction);

nlohmann::ordered_json as_json(const Totals& totals);
// "tap0 to fd 3: 12 frames, 1.2k bytes, 0 dropped; ..."
std::string in_words(const Totals& totals);

}  // namespace umlnet::cli
