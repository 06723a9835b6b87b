// JSON as text, for a log, a reply or a terminal.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace umlnet {

// ASCII only; what is not UTF-8 becomes U+FFFD. On one line without newline, or with `indent` spaces a level.
inline std::string json_text(const nlohmann::ordered_json& json, int indent = -1) {
  return json.dump(indent, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace umlnet
