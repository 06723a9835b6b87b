#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "libumlnet/core/ifname.h"

namespace umlnet {
namespace {

using namespace std::string_view_literals;

TEST_CASE("ifname: what is a device name") {
  static constexpr std::string_view kRows[] = {
      "a", "tap0", "eth0.100", "br-lan", "123456789012345", "...", ".a", "-", "a@b", "*", "tap[0]",
      "!", "~",    "a\\b",     "\"",
  };
  for (const auto text : kRows) {
    CAPTURE(text);
    const auto name = IfName::parse(text);
    REQUIRE(name.has_value());
    CHECK(name->str() == text);
  }
}

TEST_CASE("ifname: what is not a device name") {
  static constexpr std::string_view kRows[] = {
      "",
      "1234567890123456",
      ".",
      "..",
      "/",
      "a/b",
      ":",
      "eth0:1",
      "%",
      "tap%d",
      " ",
      "a b",
      "tap0 ",
      " tap0",
      "\n",
      "tap0\n",
      "tap\t",
      "tap\r",
      "\x7f",
      "tap\x1b",
      "\xff",
      "tap\xff",
      "\x80",
      "t\xc3\xa4p",
      "\0"sv,
      "tap\0"sv,
      "tap\0"
      "0"sv,
      "\x01",
  };
  for (const auto text : kRows) {
    CAPTURE(text);
    CHECK_FALSE(IfName::parse(text).has_value());
  }
}

TEST_CASE("ifname: which names are plain") {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const auto name = IfName::parse(std::string("x") + c);
    if (!name) continue;
    CAPTURE(name->str());
    const bool letter_or_digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    CHECK(name->is_plain() == (letter_or_digit || c == '.' || c == '_' || c == '-'));
  }
  CHECK(!IfName::parse("-x")->is_plain());
  CHECK(IfName::parse(".x")->is_plain());
}

TEST_CASE("ifname: length, byte by byte") {
  for (std::size_t length = 0; length <= 64; ++length) {
    CAPTURE(length);
    CHECK(IfName::parse(std::string(length, 'x')).has_value() == (length >= 1 && length <= 15));
  }
}

TEST_CASE("ifname: an alternative name of a device that is there is longer") {
  for (std::size_t length = 0; length <= 200; ++length) {
    CAPTURE(length);
    CHECK(IfName::parse_existing(std::string(length, 'x')).has_value() == (length >= 1 && length <= 127));
  }
  for (const std::string_view text : {".", "..", "a b", "a/b", "a:b", "a%b", "a\n"})
    CHECK_FALSE(IfName::parse_existing(text).has_value());
}

TEST_CASE("ifname: every byte") {
  for (int byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    const std::string name = std::string("x") + static_cast<char>(byte);
    const bool plain = byte > ' ' && byte <= '~' && byte != '/' && byte != ':' && byte != '%';
    CHECK(IfName::parse(name).has_value() == plain);
  }
}

}  // namespace
}  // namespace umlnet
