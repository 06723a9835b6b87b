// What the readers of policy keys share: a value that was read or the fault in it, and the words of messages.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "libumlnet/core/strict_json.h"

namespace umlnet::policy {

template <class T>
using Read = std::expected<T, JsonFault>;

inline auto fault(unsigned line, std::string what) { return std::unexpected(JsonFault{line, std::move(what)}); }
inline auto fault(const JsonValue& value, std::string what) { return fault(value.line, std::move(what)); }

// The value as a message repeats it.
std::string shown(const JsonValue& value);

const std::string* as_string(const JsonValue& value);
const JsonMember* find(const JsonObject& object, std::string_view key);

Read<std::uint64_t> whole_number(const JsonValue& value, std::uint64_t most);
Read<bool> true_or_false(const JsonValue& value);
Read<void> read_comment(const JsonValue& value);

// The fault with the key that it is in.
std::unexpected<JsonFault> in_key(std::string_view key, const JsonFault& inner);

// A key of `owner` ("a rule") that is none of `names`.
std::unexpected<JsonFault> unknown_key(const JsonMember& member, std::string_view owner,
                                       std::span<const std::string_view> names);

}  // namespace umlnet::policy
