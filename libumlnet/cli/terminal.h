// What is shown to a person: as wide as the terminal is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace umlnet::cli {

// Columns of the terminal that `fd` is; 0 where it is none, so that programs get a line as a line.
std::size_t terminal_width(int fd);

// The text in lines of at most `width` bytes, broken at spaces, and inside of words only where one is longer than that.
// One line where `width` is 0.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace umlnet::cli
