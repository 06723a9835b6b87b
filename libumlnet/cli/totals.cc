#include "libumlnet/cli/totals.h"

#include <cinttypes>
#include <cstdio>

namespace umlnet::cli {
namespace {

std::string json_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
      out += c;
    } else {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    }
  }
  return out + "\"";
}

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

std::string as_json(const umlnet_direction& direction) {
  std::string out;
  for (const auto& counter : kCounters)
    out += (out.empty() ? "{\"" : ",\"") + std::string(counter.name) + "\":" + std::to_string(direction.*counter.value);
  return out + "}";
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

std::string as_json(const Totals& totals) {
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f", totals.seconds);
  std::string out =
      "{\"a\":" + json_string(totals.a) + ",\"b\":" + json_string(totals.b) + ",\"ended\":\"" + name_of(totals.ended) +
      "\",\"seconds\":" + seconds + ",\"a_to_b\":" + as_json(totals.counters.a_to_b) +
      ",\"b_to_a\":" + as_json(totals.counters.b_to_a) + ",\"captured\":" + std::to_string(totals.counters.captured) +
      ",\"not_captured\":" + std::to_string(totals.counters.not_captured);
  if (!totals.error.empty()) out += ",\"error\":" + json_string(totals.error);
  return out + "}";
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
