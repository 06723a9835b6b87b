// Holdings as a picture, in the language of Graphviz: users on the left, their devices, the guests' addresses, and the
// LANs on which these are published on the right.
#pragma once

#include <string>

#include "libumlnet/cli/holdings.h"
#include "libumlnet/cli/wall_clock.h"

namespace umlnet::cli {

// ASCII; `title` stands above the picture.
std::string holdings_dot(const Holdings& holdings, const std::string& title, Microseconds now, Zone zone);

}  // namespace umlnet::cli
