// How frames are pumped, as --snaplen and --pump-program say.
#pragma once

#include <getopt.h>

#include <cstdint>
#include <span>
#include <string>

#include "libumlnet/cli/trouble.h"

namespace umlnet::cli {

struct PumpOptions {
  std::string program;  // "": where it was installed
  int capture = -1;     // borrowed for as long as the pump runs
  std::uint32_t snaplen = 0;
  bool sandbox = true;

  // The letters are "s:".
  static std::span<const option> table();
  // As HelperOptions::take().
  Outcome<bool> take(int letter, const std::string& value);
};

}  // namespace umlnet::cli
