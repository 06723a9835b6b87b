// Holdings as JSON, for programs.
#pragma once

#include <string>

#include "libumlnet/cli/holdings.h"

namespace umlnet::cli {

// One object: umlnet(1) names its keys.
std::string holdings_json(const Holdings& holdings);

}  // namespace umlnet::cli
