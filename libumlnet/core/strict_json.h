// JSON as a tree that remembers lines, and nothing but what this project's formats need of it: policy files, and the
// replies of the native protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libumlnet/core/error.h"

namespace umlnet {

inline constexpr std::size_t kMaxJsonDepth = 4;      // {"rules": [{"users": [...]}]}
inline constexpr std::size_t kMaxJsonString = 1024;  // bytes, where nothing else is said
inline constexpr std::size_t kMaxJsonKeys = 32;      // in one object

struct JsonMember;
struct JsonValue;

using JsonArray = std::vector<JsonValue>;
using JsonObject = std::vector<JsonMember>;

// A number that is not a whole one from 0 to 2^64-1, in words for a message. The format has no place for any.
struct JsonOtherNumber {
  std::string text;
};

struct JsonValue {
  unsigned line = 0;
  std::variant<std::nullptr_t, bool, std::uint64_t, JsonOtherNumber, std::string, JsonArray, JsonObject> data;
};

struct JsonMember {
  std::string key;
  unsigned line = 0;  // of the key
  JsonValue value;
};

// RFC 8259 and nothing behind the value. Refused besides: a byte order mark, a NUL (also as \u0000), a key twice in one
// object, and what is over the limits above. Code::bad_value says what and in which line, in printable
// ASCII, whatever the text holds.
Result<JsonValue> parse_strict_json(std::string_view text, std::size_t max_string = kMaxJsonString);

}  // namespace umlnet
