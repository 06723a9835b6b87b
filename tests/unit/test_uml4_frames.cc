#include <doctest/doctest.h>

#include <cstring>

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
