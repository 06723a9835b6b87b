// What a person sees who types `uml_net --help` or `uml_net --version`.
#pragma once

#include <span>
#include <string_view>

namespace umlnet {

bool is_help(std::span<const std::string_view> arguments);

// Writes to stdout, in the caller's own name. 0, or EX_IOERR where stdout does not take it.
int print_help(std::span<const std::string_view> arguments);

}  // namespace umlnet
