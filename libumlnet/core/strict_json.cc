#include "libumlnet/core/strict_json.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "libumlnet/core/plain_text.h"

namespace umlnet {
namespace {

// The line of the byte that was read last; a newline belongs to the line that it ends. The parser reads one byte
// further than a number, which is still in the number's line by that rule.
struct Position {
  unsigned line = 1;
  bool after_newline = false;
};

// The parser's SAX events do not say where they are, so the input counts lines as it is read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(std::string_view::const_iterator at, Position* position) : at_(at), position_(position) {}

  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    if (position_->after_newline) ++position_->line;
    position_->after_newline = *at_ == '\n';
    ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    auto before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
  std::string_view::const_iterator at_;
  Position* position_;
};

Error fault(unsigned line, std::string what) { return {Code::bad_value, 0, std::move(what), {}, line}; }

// The parser's words without what it read last, which are bytes of the text and can be many.
std::string plain_words(std::string_view words) {
  if (const auto bracket = words.find("] "); bracket != std::string_view::npos) words.remove_prefix(bracket + 2);
  if (const auto syntax = words.find("syntax error"); syntax != std::string_view::npos) words.remove_prefix(syntax);
  const auto last_read = words.find("; last read: ");
  if (last_read == std::string_view::npos) return escaped(words, 100);
  std::string text(words.substr(0, last_read));
  const auto expected = words.rfind("; expected ");
  if (expected != std::string_view::npos && expected > last_read) text += escaped(words.substr(expected), 80);
  return text;
}

class TreeBuilder {
 public:
  TreeBuilder(const Position& position, std::size_t max_string) : position_(position), max_string_(max_string) {}

  JsonValue take_tree() { return std::move(root_); }
  Error take_fault() { return std::move(fault_); }

  bool null() { return add(nullptr) != nullptr; }
  bool boolean(bool value) { return add(value) != nullptr; }
  bool number_unsigned(std::uint64_t value) { return add(value) != nullptr; }
  // The parser calls this for numbers with a minus in front only.
  bool number_integer(std::int64_t value) {
    return add(JsonOtherNumber{value == 0 ? "-0" : std::to_string(value)}) != nullptr;
  }
  bool number_float(double, const std::string& text) { return add(JsonOtherNumber{escaped(text, 32)}) != nullptr; }
  bool string(std::string& text) { return is_fit(text) && add(std::move(text)) != nullptr; }
  bool binary(nlohmann::json::binary_t&) { return refuse("there is no binary in JSON"); }

  bool start_object(std::size_t) { return open(JsonObject{}); }
  bool start_array(std::size_t) { return open(JsonArray{}); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& key) {
    if (!is_fit(key)) return false;
    auto& members = std::get<JsonObject>(open_.back()->data);
    const auto first = std::ranges::find(members, key, &JsonMember::key);
    if (first != members.end())
      return refuse("the key " + in_quotes(key) + " stands twice in one object, first in line " +
                    std::to_string(first->line) + "; take one of them out");
    if (members.size() == kMaxJsonKeys)
      return refuse("an object has more than " + std::to_string(kMaxJsonKeys) + " keys, which is more than there are");
    members.push_back({std::move(key), position_.line, {}});
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) {
    return refuse("not JSON" + behind_key() + ": " + plain_words(error.what()));
  }

 private:
  bool refuse(std::string what) {
    fault_ = fault(position_.line, std::move(what));
    return false;
  }

  bool is_fit(const std::string& text) {
    if (text.size() > max_string_)
      return refuse("a string" + behind_key() + " has more than " + std::to_string(max_string_) +
                    " bytes: " + in_quotes(text, 32));
    if (text.contains('\0'))
      return refuse("a string" + behind_key() + " holds a NUL (\\u0000): " + in_quotes(text, 32));
    return true;
  }

  std::string behind_key() const {
    for (auto it = open_.rbegin(); it != open_.rend(); ++it)
      if (const auto* members = std::get_if<JsonObject>(&(*it)->data); members != nullptr && !members->empty())
        return " behind the key " + in_quotes(members->back().key);
    return {};
  }

  // Pointers to open containers stay good: a container gets no new element while one of its elements is open.
  JsonValue* add(decltype(JsonValue::data) data) {
    JsonValue value{position_.line, std::move(data)};
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (auto* array = std::get_if<JsonArray>(&open_.back()->data)) return &array->emplace_back(std::move(value));
    auto& member = std::get<JsonObject>(open_.back()->data).back();
    member.value = std::move(value);
    return &member.value;
  }

  bool open(decltype(JsonValue::data) container) {
    if (open_.size() == kMaxJsonDepth)
      return refuse("brackets" + behind_key() + " are nested more than " + std::to_string(kMaxJsonDepth) + " deep");
    open_.push_back(add(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const Position& position_;
  std::size_t max_string_;
  JsonValue root_;
  std::vector<JsonValue*> open_;
  Error fault_;
};

// What the parser would not see: it passes over a byte order mark, and a NUL is the end of the input to it.
std::optional<Error> fault_in_bytes(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf"))
    return fault(1, "it begins with a byte order mark (bytes ef bb bf); save it as UTF-8 without one");
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    const auto newlines = std::ranges::count(text.substr(0, nul), '\n');
    return fault(static_cast<unsigned>(newlines) + 1, "it holds a NUL byte");
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return fault(1, "it is empty");
  return std::nullopt;
}

}  // namespace

Result<JsonValue> parse_strict_json(std::string_view text, std::size_t max_string) {
  if (auto fault = fault_in_bytes(text)) return std::unexpected(*std::move(fault));
  Position position;
  TreeBuilder builder(position, max_string);
  const CountingIterator first(text.begin(), &position), last(text.end(), &position);
  if (!nlohmann::json::sax_parse(first, last, &builder)) return std::unexpected(builder.take_fault());
  return builder.take_tree();
}

}  // namespace umlnet
