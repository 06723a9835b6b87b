#include <doctest/doctest.h>

#include <cerrno>
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

TEST_CASE("bridge helper: options in any order, and the last of a kind counts") {
  struct Case {
    std::vector<std::string> words;
    const char* bridge;
    int socket;
    bool headers;
  };
  const Case cases[] = {
      {{"--use-vnet", "--fd=7", "--br=br0"}, "br0", 7, true},  // as QEMU
      {{"--use-vnet", "--br=br0", "--fd=7"}, "br0", 7, true},  // as libvirt
      {{"--br=br0", "--fd=7"}, "br0", 7, false},
      {{"--fd=7", "--br=br0", "--use-vnet", "--use-vnet"}, "br0", 7, true},
      {{"--br=br0", "--fd=3", "--br=virbr1", "--fd=12"}, "virbr1", 12, false},
      {{"--br=a/b", "--fd=1", "--fd=12", "--br=br0"}, "br0", 12, false},
      {{"--br=--br=br0", "--fd=2147483647"}, "--br=br0", 2147483647, false},
  };
  for (const auto& expected : cases) {
    const auto call = parse(expected.words);
    CHECK(call.protocol == Protocol::qemu_bridge);
    CHECK(call.reply == ReplyForm::bridge);
    CHECK(call.operation == "bridge");
    CHECK(call.descriptor == expected.socket);
    REQUIRE(call.request);
    const auto& request = std::get<MakeBridgedTap>(*call.request);
    CHECK(request.bridge.str() == expected.bridge);
    CHECK(request.virtio_headers == expected.headers);
  }
}

// More than an alternative name may have.
const std::string kLongName =
    "--br=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

TEST_CASE("bridge helper: any error is one line and the exit status 1") {
  struct Case {
    std::vector<std::string> words;
    Code code;
    std::string says;
  };
  const Case cases[] = {
      {{"--br=br0"}, Code::usage, "--fd=N is missing"},
      {{"--use-vnet"}, Code::usage, "--fd=N is missing"},
      {{"--fd=7"}, Code::usage, "--br=BRIDGE is missing"},
      {{"--fd=7", "--br=br0", "--mtu=1"}, Code::usage, "\"--mtu=1\" is no option"},
      {{"--mtu=1", "--fd=7", "--br=br0"}, Code::usage, "\"--mtu=1\" is no option"},
      {{"--help", "--fd=7", "--br=br0"}, Code::usage, "\"--help\" is no option"},
      {{"--fd=7", "--br=br0", ""}, Code::usage, "\"\" is no option"},
      {{"--fd", "7", "--br=br0"}, Code::usage, "\"--fd\" is no option"},
      {{"--use-vnet=1", "--fd=7", "--br=br0"}, Code::usage, "\"--use-vnet=1\" is no option"},
      {{"--br=br0", "--fd=7", "4", "tuntap", "up"}, Code::usage, "\"4\" is no option"},
      {{"--fd=", "--br=br0"}, Code::bad_value, "--fd= is not the number"},
      {{"--fd=2", "--br=br0"}, Code::bad_value, "--fd=2 is not the number"},
      {{"--fd=-1", "--br=br0"}, Code::bad_value, "--fd=-1 is not the number"},
      {{"--fd=07", "--br=br0"}, Code::bad_value, "--fd=07 is not the number"},
      {{"--fd=7x", "--br=br0"}, Code::bad_value, "--fd=7x is not the number"},
      {{"--fd=4294967299", "--br=br0"}, Code::bad_value, "is not the number"},
      {{"--fd=7", "--fd=1", "--br=br0"}, Code::bad_value, "--fd=1 is not the number"},
      {{"--fd=7", "--br="}, Code::bad_value, "\"\" is not the name of a bridge"},
      {{"--fd=7", "--br=br%d"}, Code::bad_value, "\"br%d\" is not the name"},
      {{"--fd=7", kLongName}, Code::bad_value, "is not the name of a bridge"},
      {{"--fd=7", "--br=b\nr"}, Code::bad_value, "\"b\\x0ar\" is not the name"},
  };
  for (const auto& expected : cases) {
    const auto call = parse(expected.words);
    CAPTURE(expected.says);
    CHECK(call.protocol == Protocol::qemu_bridge);
    REQUIRE(!call.request);
    const auto& error = call.request.error();
    CHECK(error.code == expected.code);
    CHECK_MESSAGE(error.one_line().find(expected.says) != std::string::npos, error.one_line());
    CHECK(error.one_line().find('\n') == std::string::npos);
    CHECK(error.one_line().find(error.advice) != std::string::npos);
    CHECK(exit_status_of(call.reply, error) == 1);
  }
  CHECK(Error{Code::kernel, EPERM, "a", "b\nc"}.one_line() == "a: Operation not permitted (EPERM). b c");
}

TEST_CASE("an option alone does not make a call of the bridge helper") {
  for (const std::vector<std::string>& words :
       {std::vector{"--fly"s}, std::vector{"4"s, "tuntap"s, "up"s, "--br=br0"s}, std::vector{"gc"s, "--fd=7"s}})
    CHECK(parse(words).protocol != Protocol::qemu_bridge);
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
      {{"3", "tuntap", "up"}, Code::version, ReplyForm::text, "versions 4 and 5 are"},
      {{"0"}, Code::version, ReplyForm::text, "version 0"},
      {{"6"}, Code::version, ReplyForm::text, "version 6"},
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
