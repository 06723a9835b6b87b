#include <doctest/doctest.h>

#include "libumlnet/core/device_tag.h"
#include "libumlnet/core/error.h"
#include "libumlnet/core/plain_text.h"
#include "libumlnet/core/timestamp.h"

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
  const std::chrono::sys_seconds since = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24);
  for (const auto& when : {std::optional(since), std::optional<std::chrono::sys_seconds>()}) {
    const DeviceTag tag{1001, RequestId({}), when, "tuntap gateway=10.99.0.254"};
    CHECK(tag.str() == std::string("uml_net uid=1001 id=00000000-0000-4000-8000-000000000000 ") +
                           (when ? "since=2026-11-24T00:00:00Z " : "") + "tuntap gateway=10.99.0.254");
    const auto read = DeviceTag::parse(tag.str());
    REQUIRE(read);
    CHECK(read->uid == 1001);
    CHECK(read->id == tag.id);
    CHECK(read->since == when);
    CHECK(read->request == tag.request);
  }
  for (const auto* alias :
       {"", "uml_net", "uml_net uid=", "uml_net uid=-1 id=00000000-0000-4000-8000-000000000000 tuntap",
        "uml_net uid=4294967296 id=00000000-0000-4000-8000-000000000000 tuntap", "uml_net uid=1 tuntap",
        "uml_net uid=1 id=00000000-0000-4000-8000-000000000000",
        " uml_net uid=1 id=00000000-0000-4000-8000-000000000000 x",
        "uml_net uid=1x id=00000000-0000-4000-8000-000000000000 x",
        "uml_net uid=1 id=00000000-0000-4000-8000-000000000000 since=2026-11-24T04:45:57Z",
        "uml_net uid=1 id=00000000-0000-4000-8000-000000000000 since=yesterday tuntap"})
    CHECK_MESSAGE(!DeviceTag::parse(alias), alias);
}

TEST_CASE("the longest device tag fits an alias") {
  const auto farthest = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);
  const DeviceTag tag{4294967294, RequestId({}), farthest, "ethertap gateway=255.255.255.255"};
  CHECK(tag.str().size() < 256);  // IFALIASZ
}

TEST_CASE("a device tag remembers what was granted to outlive its fds, and cuts the words of a long request") {
  const std::chrono::sys_seconds since = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24);
  DeviceTag tag{1001, RequestId({}), since, "open device=vm7 persist", true};
  CHECK(
      tag.str() ==
      "uml_net uid=1001 id=00000000-0000-4000-8000-000000000000 since=2026-11-24T00:00:00Z persistent open device=vm7 "
      "persist");
  auto read = DeviceTag::parse(tag.str());
  REQUIRE(read);
  CHECK(read->persistent);
  CHECK(read->request == tag.request);
  tag.since.reset();
  read = DeviceTag::parse(tag.str());
  REQUIRE((read && read->persistent));
  tag.persistent = false;
  CHECK(!DeviceTag::parse(tag.str())->persistent);

  for (const auto* word : {" guest=fd00:1234:5678:9abc:def0:1234:5678:9ab", " x", " y="}) {
    tag = {4294967294, RequestId({}), since, "open", true};
    for (int i = 0; i < 250; ++i) {
      tag.request += word;
      const auto text = tag.str();
      CHECK(text.size() < 256);  // IFALIASZ
      const auto cut = DeviceTag::parse(text);
      REQUIRE(cut);
      CHECK((cut->uid == tag.uid && cut->persistent && cut->since == since));
      CHECK((cut->request == tag.request || cut->request.ends_with(std::string(word) + " ...")));
    }
  }
  tag.request = std::string(300, 'x');
  CHECK(tag.str().size() == 255);
}

TEST_CASE("timestamps are RFC 3339, read back, and nothing else is read") {
  using namespace std::chrono;
  const Microseconds time = sys_days(year(2026) / 11 / 24) + 4h + 45min + 57s + 546233us;
  CHECK(rfc3339(time) == "2026-11-24T04:45:57.546233Z");
  CHECK(rfc3339(floor<seconds>(time)) == "2026-11-24T04:45:57Z");
  CHECK(rfc3339(Microseconds(-1us)) == "1969-12-31T23:59:59.999999Z");
  CHECK(parse_rfc3339(rfc3339(time)) == time);
  CHECK(parse_rfc3339("2026-11-24T05:45:57.5462339+01:00") == time);
  CHECK(parse_rfc3339("2026-11-23T23:15:57.546233-05:30") == time);
  CHECK(parse_rfc3339("2026-11-24T04:45:57Z") == floor<seconds>(time));
  for (const auto* text :
       {"", "2026-11-24", "2026-11-24T04:45:57", "2026-11-24T04:45:57.Z", "2026-11-24T04:45Z", "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T04:45:57+1:00", "2026-11-24T04:45:57Zx",
        " 2026-11-24T04:45:57Z", "2026-11-24T04:45:57+01:60", "-026-11-24T04:45:57Z"})
    CHECK_MESSAGE(!parse_rfc3339(text), text);
}

TEST_CASE("bytes from outside come out as printable ASCII") {
  CHECK(escaped("plain text~", 100) == "plain text~");
  CHECK(escaped("a\"b\\c\n\x01\x7f\xff", 100) == "a\\\"b\\\\c\\x0a\\x01\\x7f\\xff");
  CHECK(escaped("abcdef", 3) == "abc...");
  CHECK(escaped("abc", 3) == "abc");
  CHECK(in_quotes("a\"b\n") == "\"a\\\"b\\x0a\"");
  CHECK(in_quotes(std::string("abcdef"), 3) == "\"abc...\"");
}

TEST_CASE("an error says what, the kernel's word for why, and what to do") {
  const Error error{Code::kernel, 1, "cannot make a TAP device", "Ask the administrator."};
  CHECK(error.text() == "cannot make a TAP device: Operation not permitted (EPERM)\nAsk the administrator.\n");
  CHECK(Error{Code::denied, 0, "no", {}}.text() == "no\n");
  CHECK(errno_name(99999) == "errno 99999");
}

TEST_CASE("a device tag says who else may attach to the device") {
  for (const auto& owner : {DeviceOwner{.id = 1002}, DeviceOwner{DeviceOwner::Kind::group, 4294967294}}) {
    DeviceTag tag{1001, RequestId({}), std::nullopt, "open device=vm7 persist", true, owner};
    CHECK(tag.str().ends_with(" persistent owner=" + owner.str() + " open device=vm7 persist"));
    const auto read = DeviceTag::parse(tag.str());
    REQUIRE(read);
    CHECK(read->owner == owner);
    CHECK(read->request == tag.request);
    tag.request = std::string(300, 'x');
    CHECK(tag.str().size() <= DeviceTag::kMaxSize);
    CHECK(DeviceTag::parse(tag.str())->owner == owner);
  }
  const std::string lead = "uml_net uid=1 id=00000000-0000-4000-8000-000000000000 persistent owner=";
  for (const auto* rest : {"1002", "x open", " open", ": open", "4294967295 open", ":-1 open", "::1 open"})
    CHECK_MESSAGE(!DeviceTag::parse(lead + rest), rest);
}
