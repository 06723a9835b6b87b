// What a person sees who types `uml_net --help` or `uml_net --version`.
#pragma once

#include <string_view>

namespace umlnet {

// Whether a call of the one argument `word` asks for one of them.
bool is_help(std::string_view word);

// Writes to stdout, in the caller's own name. 0, or EX_IOERR where stdout does not take it.
int print_help(std::string_view word);

}  // namespace umlnet
