#include <doctest/doctest.h>

#include "libumlnet/core/device_tag.h"
#include "libumlnet/core/error.h"
#include "libumlnet/core/plain_text.h"

using namespace umlnet;

TEST_CASE("a request id is a version 4 UUID and reads back") {
  const RequestId id({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  CHECK(id.str() == "ffffffff-ffff-4fff-bfff-ffffffffffff");
  CHECK(RequestId({}).str() == "00000000-0000-4000-8000-000000000000");
  CHECK(RequestId::parse(id.str()) == id);
  for (const auto* text : {"", "ffffffff-ffff-4fff-bfff-fffffffffff", "ffffffff-ffff-4fff-bfff-ffffffffffff0",
                           "ffffffff-ffff-1fff-bfff-ffffffffffff", "FFFFFFFF-ffff-4fff-bfff-ffffffffffff",
                           "ffffffff_ffff-4fff-bfff-ffffffffffff", "fffffffg-ffff-4fff-bfff-ffffffffffff"})
    CHECK_MESSAGE(!RequestId::parse(text), text);
}

TEST_CASE("a device tag reads back, and nothing else does") {
  const DeviceTag tag{1001, RequestId({}), "tuntap gateway=10.99.0.254"};
  CHECK(tag.str() == "uml_net uid=1001 id=00000000-0000-4000-8000-000000000000 tuntap gateway=10.99.0.254");
  const auto read = DeviceTag::parse(tag.str());
  REQUIRE(read);
  CHECK(read->uid == 1001);
  CHECK(read->id == tag.id);
  CHECK(read->request == tag.request);
  for (const auto* alias :
       {"", "uml_net", "uml_net uid=", "uml_net uid=-1 id=00000000-0000-4000-8000-000000000000 tuntap",
        "uml_net uid=4294967296 id=00000000-0000-4000-8000-000000000000 tuntap", "uml_net uid=1 tuntap",
        "uml_net uid=1 id=00000000-0000-4000-8000-000000000000",
        " uml_net uid=1 id=00000000-0000-4000-8000-000000000000 x",
        "uml_net uid=1x id=00000000-0000-4000-8000-000000000000 x"})
    CHECK_MESSAGE(!DeviceTag::parse(alias), alias);
}

TEST_CASE("bytes from outside come out as printable ASCII") {
  CHECK(escaped("plain text~", 100) == "plain text~");
  CHECK(escaped("a\"b\\c\n\x01\x7f\xff", 100) == "a\\\"b\\\\c\\x0a\\x01\\x7f\\xff");
  CHECK(escaped("abcdef", 3) == "abc...");
  CHECK(escaped("abc", 3) == "abc");
}

TEST_CASE("an error says what, the kernel's word for why, and what to do") {
  const Error error{Code::kernel, 1, "cannot make a TAP device", "Ask the administrator."};
  CHECK(error.text() == "cannot make a TAP device: Operation not permitted (EPERM)\nAsk the administrator.\n");
  CHECK(Error{Code::denied, 0, "no", {}}.text() == "no\n");
  CHECK(errno_name(99999) == "errno 99999");
}
