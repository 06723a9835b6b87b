#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "libumlnet/core/call.h"

using namespace umlnet;
using namespace std::string_literals;

namespace {

Call parse(const std::vector<std::string>& words) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  return parse_call(views);
}

}  // namespace

TEST_CASE("UML 4: tuntap up with and without a gateway") {
  const auto with = parse({"4", "tuntap", "up", "10.99.0.254"});
  CHECK(with.protocol == Protocol::uml4);
  CHECK(with.reply == ReplyForm::datagram);
  CHECK(with.operation == "tuntap");
  REQUIRE(with.request);
  CHECK(std::get<MakeTap>(*with.request).gateway == Ipv4::parse("10.99.0.254"));

  const auto without = parse({"4", "tuntap", "up"});
  REQUIRE(without.request);
  CHECK(!std::get<MakeTap>(*without.request).gateway);
}

TEST_CASE("UML 4: add and del in both spellings") {
  for (const std::vector<std::string>& head : {std::vector{"4"s}, std::vector{"4"s, "tuntap"s}}) {
    for (const auto* verb : {"add", "del"}) {
      auto words = head;
      words.insert(words.end(), {verb, "tap7", "10.50.0.7", "255.255.255.0"});
      const auto call = parse(words);
      CHECK(call.reply == ReplyForm::framed);
      CHECK(call.operation == verb);
      REQUIRE(call.request);
      const auto check = [](const auto& change) {
        CHECK(change.device.str() == "tap7");
        CHECK(change.address.str() == "10.50.0.7");
        CHECK(change.netmask.length() == 24);
      };
      if (verb == "add"s)
        check(std::get<AddAddress>(*call.request));
      else
        check(std::get<DeleteAddress>(*call.request));
    }
  }
}

TEST_CASE("gc is a person's command") {
  const auto call = parse({"gc"});
  CHECK(call.reply == ReplyForm::text);
  REQUIRE(call.request);
  CHECK(std::holds_alternative<CollectGarbage>(*call.request));
}

TEST_CASE("what is not understood says what is wrong, and how the caller expects to hear it") {
  struct Case {
    std::vector<std::string> words;
    Code code;
    ReplyForm reply;
    std::string says;
  };
  const std::string mib(1 << 20, 'x');
  const Case cases[] = {
      {{}, Code::usage, ReplyForm::text, "without arguments"},
      {{"3", "tuntap", "up"}, Code::version, ReplyForm::text, "version 4 is"},
      {{"0"}, Code::version, ReplyForm::text, "version 0"},
      {{"5"}, Code::version, ReplyForm::text, "version 5"},
      {{"4294967300", "tuntap", "up"}, Code::version, ReplyForm::text, "version 4294967300"},
      {{"-1", "tuntap", "up"}, Code::usage, ReplyForm::text, "\"-1\" is neither"},
      {{"4abc", "tuntap", "up"}, Code::usage, ReplyForm::text, "\"4abc\""},
      {{" 4", "tuntap", "up"}, Code::usage, ReplyForm::text, "\" 4\""},
      {{"04", "tuntap", "up"}, Code::version, ReplyForm::text, "version 04"},
      {{""}, Code::usage, ReplyForm::text, "\"\" is neither"},
      {{mib}, Code::usage, ReplyForm::text, "..."},
      {{"4"}, Code::usage, ReplyForm::text, "is not an operation"},
      {{"4", "tuntap"}, Code::usage, ReplyForm::text, "is not an operation"},
      {{"4", "tuntap", "down"}, Code::usage, ReplyForm::text, "4 tuntap down"},
      {{"4", "slip", "up"}, Code::usage, ReplyForm::text, "slip transport is not served"},
      {{"4", "tuntap", "up", "10.0.0"}, Code::bad_value, ReplyForm::datagram, "\"10.0.0\" is not an IPv4 address"},
      {{"4", "tuntap", "up", ""}, Code::bad_value, ReplyForm::datagram, "\"\" is not"},
      {{"4", "tuntap", "up", "10.0.0.1", "x"}, Code::usage, ReplyForm::datagram, "got 2 words"},
      {{"4", "add"}, Code::usage, ReplyForm::framed, "got 0 words"},
      {{"4", "add", "tap0", "10.0.0.1"}, Code::usage, ReplyForm::framed, "got 2 words"},
      {{"4", "add", "tap0", "10.0.0.1", "255.0.0.0", "x"}, Code::usage, ReplyForm::framed, "got 4 words"},
      {{"4", "add", "ta/p", "10.0.0.1", "255.0.0.0"}, Code::bad_value, ReplyForm::framed, "\"ta/p\" is not a device"},
      {{"4", "add", "tap%d", "10.0.0.1", "255.0.0.0"}, Code::bad_value, ReplyForm::framed, "not a device name"},
      {{"4", "add", "t\n\xff", "10.0.0.1", "255.0.0.0"}, Code::bad_value, ReplyForm::framed, "\"t\\x0a\\xff\""},
      {{"4", "del", "tap0", "010.0.0.1", "255.0.0.0"}, Code::bad_value, ReplyForm::framed, "not an IPv4 address"},
      {{"4", "del", "tap0", "10.0.0.1", "255.0.255.0"}, Code::bad_value, ReplyForm::framed, "not an IPv4 netmask"},
      {{"gc", "now"}, Code::usage, ReplyForm::text, "takes no arguments"},
  };
  for (const auto& expected : cases) {
    const auto call = parse(expected.words);
    CAPTURE(expected.says);
    REQUIRE(!call.request);
    CHECK(call.request.error().code == expected.code);
    CHECK(call.reply == expected.reply);
    CHECK_MESSAGE(call.request.error().text().find(expected.says) != std::string::npos, call.request.error().text());
    CHECK(call.request.error().text().size() < 500);
  }
}
