// The number of a descriptor that a caller leaves to the helper.
#pragma once

#include <optional>
#include <string_view>

namespace umlnet {

// A decimal number from 3 on, without sign and leading zero: 0, 1 and 2 have other uses.
std::optional<int> parse_fd_number(std::string_view text);

}  // namespace umlnet
