// Bytes from outside, made fit for a log or a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace umlnet {

// Whether it is printable ASCII only.
bool is_printable(std::string_view text);

// Printable ASCII stays; a backslash, a quote and every other byte become \\, \" and \xHH; what is longer than `limit`
// bytes (before escaping) is cut and ends in "...".
std::string escaped(std::string_view bytes, std::size_t limit);

// The same between quotes, for a message. The name is not `quoted`: for a std::string, argument-dependent lookup would
// also find std::quoted.
std::string in_quotes(std::string_view bytes, std::size_t limit = 64);

// For a terminal: printable ASCII stays, quotes and backslashes included; every other byte becomes \xHH.
std::string printable(std::string_view bytes);

}  // namespace umlnet
