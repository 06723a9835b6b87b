#include "libumlnet/cli/helper_options.h"

#include <cstdio>

#include "libumlnet/cli/option_table.h"
#include "libumlnet/cli/words.h"

namespace umlnet::cli {
namespace {

enum : int { kHelperPath = kHelperOptions };
constexpr option kTable[] = {
    {"helper", required_argument, nullptr, kHelperPath},
    {"quiet", no_argument, nullptr, 'q'},
    {"timeout", required_argument, nullptr, 't'},
};

}  // namespace

std::span<const option> HelperOptions::table() { return kTable; }

Outcome<bool> HelperOptions::take(int letter, const std::string& value) {
  switch (letter) {
    case kHelperPath: helper = value; return true;
    case 'q': quiet = true; return true;
    case 't': {
      const auto ms = seconds_as_ms(value);
      if (!ms) return misuse("--timeout " + value + ": it is 0.001 to 86400 seconds");
      timeout_ms = *ms;
      return true;
    }
    default: return false;
  }
}

umlnet_options HelperOptions::for_library() const {
  umlnet_options options = UMLNET_OPTIONS_INIT;
  if (!helper.empty()) options.helper = helper.c_str();
  options.timeout_ms = timeout_ms;
  if (!quiet) options.note = [](void*, const char* text) { std::fputs(text, stderr); };
  return options;
}

}  // namespace umlnet::cli
