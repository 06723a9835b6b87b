#include "libumlnet/cli/totals.h"

#include <cmath>

#include "libumlnet/core/json_text.h"

namespace umlnet::cli {
namespace {

struct Counter {
  const char* name;
  std::uint64_t umlnet_direction::* value;
};
constexpr Counter kCounters[] = {
    {"frames", &umlnet_direction::frames},       {"bytes", &umlnet_direction::bytes},
    {"too_short", &umlnet_direction::too_short}, {"too_long", &umlnet_direction::too_long},
    {"malformed", &umlnet_direction::malformed}, {"refused", &umlnet_direction::refused},
    {"segmented", &umlnet_direction::segmented}, {"checksums", &umlnet_direction::checksums},
    {"waits", &umlnet_direction::waits},
};

using Json = nlohmann::ordered_json;

Json as_json(const umlnet_direction& direction) {
  Json json;
  for (const auto& counter : kCounters) json[counter.name] = direction.*counter.value;
  return json;
}

const char* name_of(Totals::Ended ended) {
  switch (ended) {
    case Totals::Ended::stopped: return "stopped";
    case Totals::Ended::a_gone: return "a_gone";
    case Totals::Ended::b_gone: return "b_gone";
    case Totals::Ended::failed: break;
  }
  return "failed";
}

std::string in_words(const umlnet_direction& direction) {
  return std::to_string(direction.frames) + " frames, " + std::to_string(direction.bytes) + " bytes, " +
         std::to_string(dropped(direction)) + " dropped";
}

}  // namespace

std::uint64_t dropped(const umlnet_direction& direction) {
  return direction.too_short + direction.too_long + direction.malformed + direction.refused;
}

Json as_json(const Totals& totals) {
  Json json = {{"a", totals.a},
               {"b", totals.b},
               {"ended", name_of(totals.ended)},
               {"seconds", std::round(totals.seconds * 1000) / 1000},
               {"a_to_b", as_json(totals.counters.a_to_b)},
               {"b_to_a", as_json(totals.counters.b_to_a)},
               {"captured", totals.counters.captured},
               {"not_captured", totals.counters.not_captured}};
  if (!totals.error.empty()) json["error"] = totals.error;
  return json;
}

std::string in_words(const Totals& totals) {
  std::string out = totals.a + " to " + totals.b + ": " + in_words(totals.counters.a_to_b) +
                    "; back: " + in_words(totals.counters.b_to_a);
  if (totals.counters.captured + totals.counters.not_captured > 0)
    out += "; recorded: " + std::to_string(totals.counters.captured);
  if (totals.counters.not_captured > 0) out += ", not recorded: " + std::to_string(totals.counters.not_captured);
  return out;
}

}  // namespace umlnet::cli
