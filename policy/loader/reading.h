// What the readers of policy keys share: values that were read or the fault in them, and the words of messages.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "libumlnet/core/strict_json.h"

namespace umlnet::policy {

inline auto fault(unsigned line, std::string what) {
  return std::unexpected(Error{Code::bad_policy, 0, std::move(what), {}, line});
}
inline auto fault(const JsonValue& value, std::string what) { return fault(value.line, std::move(what)); }

// The value as a message repeats it.
std::string shown(const JsonValue& value);

const std::string* as_string(const JsonValue& value);
const JsonMember* find(const JsonObject& object, std::string_view key);

Result<std::uint64_t> whole_number(const JsonValue& value, std::uint64_t most);
Result<bool> true_or_false(const JsonValue& value);
Result<void> read_comment(const JsonValue& value);

// The fault with the key that it is in.
std::unexpected<Error> in_key(std::string_view key, Error inner);

// A key of `owner` ("a rule") that is none of `names`.
std::unexpected<Error> unknown_key(const JsonMember& member, std::string_view owner,
                                   std::span<const std::string_view> names);

}  // namespace umlnet::policy
