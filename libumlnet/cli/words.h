// Values of options, read strictly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umlnet::cli {

std::vector<std::string> split(std::string_view text, char separator);
// Decimal, digits only, at most `most`.
std::optional<std::uint32_t> number(std::string_view text, std::uint32_t most);
// "2" or "0.5", from a thousandth up to a day.
std::optional<int> seconds_as_ms(const std::string& text);

}  // namespace umlnet::cli
