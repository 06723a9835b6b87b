#include "libumlnet/cli/pump_options.h"

#include "libumlnet/cli/option_table.h"
#include "libumlnet/cli/words.h"

namespace umlnet::cli {
namespace {

constexpr std::uint32_t kMaxSnaplen = 262'144;

enum : int { kPumpProgram = kPumpOptions };
constexpr option kTable[] = {
    {"snaplen", required_argument, nullptr, 's'},
    {"pump-program", required_argument, nullptr, kPumpProgram},
};

}  // namespace

std::span<const option> PumpOptions::table() { return kTable; }

Outcome<bool> PumpOptions::take(int letter, const std::string& value) {
  switch (letter) {
    case kPumpProgram: program = value; return true;
    case 's': {
      const auto bytes = number(value, kMaxSnaplen);
      if (!bytes || *bytes == 0)
        return misuse("--snaplen " + value + ": it is 1 to " + std::to_string(kMaxSnaplen) + " bytes");
      snaplen = *bytes;
      return true;
    }
    default: return false;
  }
}

}  // namespace umlnet::cli
