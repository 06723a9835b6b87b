#include "libumlnet/cli/policy_places.h"

#include <algorithm>
#include <utility>

namespace umlnet::cli {
namespace {

const JsonMember* member(const JsonValue& value, const std::string& key) {
  const auto* object = std::get_if<JsonObject>(&value.data);
  if (object == nullptr) return nullptr;
  const auto it = std::ranges::find(*object, key, &JsonMember::key);
  return it != object->end() ? &*it : nullptr;
}

// A range of one address may be written without its length.
bool is_written_as(const std::string& item, const JsonValue& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  return text != nullptr && (item == *text || item == *text + "/32" || item == *text + "/128");
}

}  // namespace

PolicyPlaces::PolicyPlaces(std::span<const policy::PolicyText> files) {
  for (const auto& file : files) {
    auto tree = parse_strict_json(file.text);
    const auto* rules = tree ? member(*tree, "rules") : nullptr;
    if (rules == nullptr) continue;
    const auto* array = std::get_if<JsonArray>(&rules->value.data);
    for (const auto& rule : array != nullptr ? *array : JsonArray{}) {
      const auto* name = member(rule, "name");
      const auto* text = name != nullptr ? std::get_if<std::string>(&name->value.data) : nullptr;
      if (text != nullptr) rules_.emplace(*text, Rule{file.path, rule});
    }
  }
}

Place PolicyPlaces::of(const std::string& rule, const std::string& key, const std::string& item) const {
  const auto found = rules_.find(rule);
  if (found == rules_.end()) return {};
  const auto& [file, json] = found->second;
  const auto* place = key.empty() ? nullptr : member(json, key);
  if (place == nullptr) return {file, json.line};
  if (const auto* array = std::get_if<JsonArray>(&place->value.data); array != nullptr && !item.empty())
    for (const auto& value : *array)
      if (is_written_as(item, value)) return {file, value.line};
  return {file, place->line};
}

}  // namespace umlnet::cli
