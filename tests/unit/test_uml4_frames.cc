#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "libumlnet/core/uml4_control.h"
#include "libumlnet/core/uml4_frames.h"

using namespace umlnet;
using namespace std::string_literals;

namespace {

std::string native_int(int value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

}  // namespace

TEST_CASE("a granted tap is 16 bytes of name, the text and a NUL") {
  CHECK(uml4::tap_reply(*IfName::parse("tap0"), "tap0 up\n") == "tap0\0\0\0\0\0\0\0\0\0\0\0\0tap0 up\n\0"s);
  CHECK(uml4::tap_reply(*IfName::parse("fifteen-bytes-x"), "") == "fifteen-bytes-x\0\0"s);
}

TEST_CASE("a refused tap is the text and a NUL") { CHECK(uml4::tap_refusal("no\n") == "no\n\0"s); }

TEST_CASE("framed text counts its NUL; no text is a zero") {
  CHECK(uml4::framed_text("ok\n") == native_int(4) + "ok\n\0"s);
  CHECK(uml4::framed_text("") == native_int(0));
}

TEST_CASE("no reply is longer than the guest's page, and a NUL inside ends the text") {
  const std::string page(5000, 'x');
  CHECK(uml4::tap_reply(*IfName::parse("tap0"), page).size() == 4096);
  CHECK(uml4::tap_refusal(page).size() == 4096);
  CHECK(uml4::framed_text(page).size() == 4096);
  CHECK(uml4::framed_text(page).substr(0, 4) == native_int(4092));
  CHECK(uml4::framed_text(page).back() == '\0');
  CHECK(uml4::framed_text("a\0b"s) == native_int(2) + "a\0"s);
}

TEST_CASE("what the helper writes, the library reads") {
  const auto device = *IfName::parse("tap0");
  const auto tap = uml4::decode_tap_reply(uml4::tap_reply(device, "tap0 up\n"));
  REQUIRE(tap);
  CHECK(tap->device == device);
  CHECK(tap->text == "tap0 up\n");
  CHECK(uml4::decode_text(uml4::tap_refusal("no\n")) == "no\n");

  const auto framed = uml4::framed_text("tap0 up\n");
  std::array<std::uint8_t, 4> head{};
  std::copy_n(framed.begin(), head.size(), head.begin());
  CHECK(uml4::decode_text_length(head) == framed.size() - head.size());
  CHECK(uml4::decode_text(framed.substr(4)) == "tap0 up\n");

  const uml4::ControlRecord record{
      .what = 1, .address = *Ipv4::parse("10.99.0.2"), .netmask = *Ipv4::parse("255.255.0.0")};
  CHECK(record.encode() == std::array<std::uint8_t, 12>{1, 0, 0, 0, 10, 99, 0, 2, 255, 255, 0, 0});
}

TEST_CASE("replies that keep to no form") {
  for (const auto& bytes : {std::string(), std::string(15, 'a'), std::string(16, 'a'), std::string(16, '\0'),
                            "tap 0" + std::string(11, '\0')})
    CHECK_FALSE(uml4::decode_tap_reply(bytes));
  for (const int length : {-1, 4097, 1 << 30}) {
    std::array<std::uint8_t, 4> head{};
    std::memcpy(head.data(), &length, sizeof length);
    CHECK_FALSE(uml4::decode_text_length(head));
  }
  CHECK(uml4::decode_text("a\tb\n\x1b[31m\xff") == "a\tb\n?[31m?");
  CHECK(uml4::decode_text(std::string_view("ab\0cd", 5)) == "ab");
}
