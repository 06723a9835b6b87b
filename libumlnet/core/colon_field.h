// Text in fields that end with a colon, as lines of passwd(5) and marks of devices (device_marks.h).
#pragma once

#include <optional>
#include <string_view>

namespace umlnet {

// Takes the first field and its colon off the front of `text`. Nothing, and `text` as it was, where it has no colon.
inline std::optional<std::string_view> take_field(std::string_view& text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto field = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  return field;
}

}  // namespace umlnet
