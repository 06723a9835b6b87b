// Holdings for a person: a table of the devices, and below it what should not be there.
#pragma once

#include <string>

#include "libumlnet/cli/holdings.h"
#include "libumlnet/cli/wall_clock.h"

namespace umlnet::cli {

// Printable ASCII, whatever processes and users call themselves.
std::string holdings_table(const Holdings& holdings, Microseconds now, Zone zone);

}  // namespace umlnet::cli
