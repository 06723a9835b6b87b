#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "policy/device_pattern.h"

namespace umlnet::policy {
namespace {

bool matches(std::string_view pattern, std::string_view name) {
  const auto parsed = DevicePattern::parse(pattern);
  const auto device = IfName::parse(name);
  REQUIRE_MESSAGE(parsed.has_value(), pattern);
  REQUIRE_MESSAGE(device.has_value(), name);
  return parsed->matches(device->str());
}

TEST_CASE("device pattern: what matches what") {
  struct Row {
    std::string_view pattern, name;
    bool expected;
  };
  static constexpr Row kRows[] = {
      {"tap0", "tap0", true},
      {"tap0", "tap", false},
      {"tap0", "tap00", false},
      {"tap0", "Tap0", false},
      {"*", "a", true},
      {"*", "*", true},
      {"***", "tap0", true},
      {"tap*", "tap", true},
      {"tap*", "tap123", true},
      {"tap*", "xtap1", false},
      {"*tap", "tap", true},
      {"*tap", "taptap", true},
      {"*tap", "tapx", false},
      {"t*p", "tp", true},
      {"t*p", "tapp", true},
      {"t*p", "tappa", false},
      {"*a*b*", "xxaxxbxx", true},
      {"*a*b*", "xxbxxaxx", false},
      {"*ab*ab", "abab", true},
      {"*ab*ab", "ab", false},
      {"?", "a", true},
      {"?", "ab", false},
      {"tap?", "tap", false},
      {"tap?", "tap1", true},
      {"?*", "a", true},
      {"*?", "abc", true},
      {"??*", "a", false},
      {"uml[0-9]*", "uml0", true},
      {"uml[0-9]*", "uml9-lan", true},
      {"uml[0-9]*", "uml", false},
      {"uml[0-9]*", "umlx", false},
      {"uml[!0-9]", "umlx", true},
      {"uml[!0-9]", "uml5", false},
      {"uml[!0-9]", "uml", false},
      {"[abc]", "b", true},
      {"[abc]", "d", false},
      {"[a-cx]", "x", true},
      {"[xa-c]", "b", true},
      {"[a-cx]", "d", false},
      {"[A-Z]", "a", false},
      {"[a-z]", "A", false},
      {"[a-a]", "a", true},
      {"[-a]", "-", true},
      {"[a-]", "-", true},
      {"[a-]", "b", false},
      {"[!-a]", "b", true},
      {"[!-a]", "-", false},
      {"[a!]", "!", true},
      {"[-]", "-", true},
      {"[a-c-]", "-", true},
      {"[*]", "*", true},
      {"[*]", "a", false},
      {"[?]", "?", true},
      {"[?]", "a", false},
      {"*[0-9]", "tap1x2", true},
      {"*[0-9]", "tap1x", false},
      {"[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*", "123456789012345", true},
      {"br.100", "br.100", true},
      {"br.100", "brx100", false},
      {"^a", "^a", true},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.pattern);
    CAPTURE(row.name);
    CHECK(matches(row.pattern, row.name) == row.expected);
  }
}

TEST_CASE("device pattern: what is not one") {
  using namespace std::string_view_literals;
  static constexpr std::string_view kRows[] = {
      "",
      "a b",
      "a/b",
      "a:b",
      "a%b",
      "a\\*",
      "a\n",
      "a\x7f",
      "a\xff",
      "a\0b"sv,
      "[",
      "[a",
      "a]",
      "]",
      "[]",
      "[]a]",
      "[!]",
      "[^a]",
      "[!^a]",
      "[[]",
      "[[:a:]]",
      "[a-",
      "[z-a]",
      "[9-0]",
      "[A-z]",
      "[0-a]",
      "[!-/]",
      "[a b]",
      "[a/]",
      "[a%]",
      "[a\\]",
      "[a-b-c]",
      "[*-?]",
      "tap[0-9]]",
      "[a--]",
      "[\xc3\xa4]",
      "abcdefghijklmnop",
      "????????????????",
  };
  for (const auto text : kRows) {
    CAPTURE(text);
    CHECK_FALSE(DevicePattern::parse(text).has_value());
  }
}

TEST_CASE("device pattern: an example is a name that it matches") {
  for (const auto* text : {"tap*", "*", "?", "**", "uml[0-9]*", "[!a-z]", "[!0-9]??", ".*", ".?", "..*", "[.]x", "a?c",
                           "abcdefghijklmno", "?????[!-+][.]*", "[!!-.]"}) {
    CAPTURE(text);
    const auto pattern = DevicePattern::parse(text);
    if (!pattern) continue;
    const auto example = pattern->example();
    REQUIRE(example.has_value());
    CHECK(pattern->matches(*example));
  }
  for (const auto* text : {".", "..", "[.]", ".[.]"}) CHECK_FALSE(DevicePattern::parse(text)->example().has_value());
}

TEST_CASE("device pattern: length") {
  CHECK(DevicePattern::parse(std::string(64, '*')).has_value());
  CHECK_FALSE(DevicePattern::parse(std::string(65, '*')).has_value());
  CHECK(DevicePattern::parse("abcdefghijklmno").has_value());
  CHECK(DevicePattern::parse("abcdefghijklmno*").has_value());
  CHECK(DevicePattern::parse("tap*")->str() == "tap*");
}

TEST_CASE("device pattern: many stars take no long time") {
  CHECK_FALSE(matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaa"));
  CHECK(matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a", "aaaaaaaaaaaaaaa"));
  CHECK(matches(std::string(64, '*'), "aaaaaaaaaaaaaaa"));
}

}  // namespace
}  // namespace umlnet::policy
