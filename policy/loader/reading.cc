#include "policy/loader/reading.h"

#include <algorithm>

#include "libumlnet/core/plain_text.h"

namespace umlnet::policy {

std::string shown(const JsonValue& value) {
  struct Visitor {
    std::string operator()(std::nullptr_t) const { return "null"; }
    std::string operator()(bool is_true) const { return is_true ? "true" : "false"; }
    std::string operator()(std::uint64_t number) const { return std::to_string(number); }
    std::string operator()(const JsonOtherNumber& number) const { return number.text; }
    std::string operator()(const std::string& text) const { return in_quotes(text); }
    std::string operator()(const JsonArray&) const { return "an array"; }
    std::string operator()(const JsonObject&) const { return "an object"; }
  };
  return std::visit(Visitor{}, value.data);
}

const std::string* as_string(const JsonValue& value) { return std::get_if<std::string>(&value.data); }

const JsonMember* find(const JsonObject& object, std::string_view key) {
  const auto it = std::ranges::find(object, key, &JsonMember::key);
  return it != object.end() ? &*it : nullptr;
}

Result<std::uint64_t> whole_number(const JsonValue& value, std::uint64_t most) {
  const auto* number = std::get_if<std::uint64_t>(&value.data);
  if (number == nullptr || *number > most)
    return fault(
        value, shown(value) + " is not a whole number from 0 to " + std::to_string(most) + ", written in digits only");
  return *number;
}

Result<bool> true_or_false(const JsonValue& value) {
  const auto* boolean = std::get_if<bool>(&value.data);
  if (boolean == nullptr) return fault(value, shown(value) + " is neither true nor false");
  return *boolean;
}

Result<void> read_comment(const JsonValue& value) {
  if (as_string(value) == nullptr) return fault(value, shown(value) + " is not a string");
  return {};
}

std::unexpected<Error> in_key(std::string_view key, Error inner) {
  inner.what = "key " + in_quotes(key) + ": " + inner.what;
  return std::unexpected(std::move(inner));
}

std::unexpected<Error> unknown_key(const JsonMember& member, std::string_view owner,
                                   std::span<const std::string_view> names) {
  std::string all;
  for (const std::string_view name : names) all += (all.empty() ? "" : ", ") + std::string(name);
  return fault(member.line, "key " + in_quotes(member.key) + ": there is no such key; the keys of " +
                                std::string(owner) + " are " + all);
}

}  // namespace umlnet::policy
