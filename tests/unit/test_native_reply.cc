#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <utility>

#include "libumlnet/client/native_reply.h"

namespace umlnet::client {
namespace {

constexpr char kFull[] =
    R"({"status":"ok","id":"052b7ac0-7d5b-4fb3-87a4-1af8716895f4","device":"tap7","ifindex":7,"mac":"02:00:00:00:00:07",)"
    R"("mtu":1400,"addresses":["10.99.0.254/24","fd00:99::1/64"],)"
    R"("guests":[{"address":"10.50.0.7","published":["eth0","eth1"]},{"address":"fd00:50::7","published":[]}],)"
    R"("queues":2,"vnet_hdr":true,"persistent":true,"anti_spoof":true,"fds":2,"notes":["one","two"]})"
    "\n";
constexpr char kLeast[] =
    R"({"status":"ok","id":"i","device":"tap0","ifindex":3,"mac":"02:00:00:00:00:07","mtu":1500,"addresses":[],)"
    R"("guests":[],"fds":1,"notes":[]})"
    "\n";

std::string with(std::string text, const std::string& what, const std::string& instead) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), instead);
}

std::string why_not(const std::string& text) {
  const auto parsed = parse_native_reply(text);
  return parsed ? "nothing wrong" : parsed.error().what;
}

}  // namespace

TEST_CASE("native reply: a device with everything") {
  const auto parsed = parse_native_reply(kFull);
  REQUIRE(parsed);
  const auto& made = std::get<NativeDevice>(*parsed);
  CHECK(made.id == "052b7ac0-7d5b-4fb3-87a4-1af8716895f4");
  CHECK(made.device.str() == "tap7");
  CHECK(made.ifindex == 7);
  CHECK(made.mac.str() == "02:00:00:00:00:07");
  CHECK(made.mtu == 1400);
  CHECK(made.guests.size() == 2);
  CHECK(made.guests[0].published == std::vector<std::string>{"eth0", "eth1"});
  CHECK(made.queues == 2);
  CHECK(made.fds == 2);
  CHECK(made.virtio_headers);
  CHECK(made.persistent);
  CHECK(made.anti_spoof);
  CHECK_FALSE(made.sealed);
  CHECK_FALSE(made.bridge);
  CHECK(in_words(made) ==
        "tap7 up with 10.99.0.254/24, fd00:99::1/64\n10.50.0.7 routed to tap7, published on eth0, eth1\n"
        "fd00:50::7 routed to tap7\ntap7 stays until it is removed\none\ntwo\n");
}

TEST_CASE("native reply: what was not asked for is left out") {
  const auto parsed = parse_native_reply(kLeast);
  REQUIRE(parsed);
  const auto& made = std::get<NativeDevice>(*parsed);
  CHECK(made.queues == 1);
  CHECK_FALSE(made.virtio_headers);
  CHECK(in_words(made) == "tap0 up\n");
}

TEST_CASE("native reply: a port of a bridge has guests without routes") {
  const auto parsed =
      parse_native_reply(with(with(kLeast, R"("guests":[])", R"("guests":[{"address":"10.50.0.7","published":[]}])"),
                              R"("fds":1)", R"("bridge":"br0","isolated":true,"fds":1)"));
  REQUIRE(parsed);
  CHECK(in_words(std::get<NativeDevice>(*parsed)) == "tap0 up on bridge br0, isolated from other isolated ports\n");
}

TEST_CASE("native reply: a removal, and a session's welcome") {
  const auto removed =
      parse_native_reply(R"({"status":"ok","id":"i","device":"tap7","removed":true,"fds":0,"notes":["gone"]})"
                         "\n");
  REQUIRE(removed);
  CHECK(std::get<NativeRemoval>(*removed).device == "tap7");
  CHECK(std::get<NativeRemoval>(*removed).notes == std::vector<std::string>{"gone"});
  const auto welcome = parse_native_reply("{\"status\":\"ok\",\"id\":\"i\",\"session\":true,\"fds\":0,\"notes\":[]}\n");
  REQUIRE(welcome);
  CHECK(std::get<NativeWelcome>(*welcome).id == "i");
  const auto reload = parse_native_reply(R"({"status":"ok","id":"i","reloaded":true,"fds":0,"notes":["n"]})"
                                         "\n");
  REQUIRE(reload);
  CHECK(std::get<NativeReload>(*reload).notes == std::vector<std::string>{"n"});
  CHECK(!parse_native_reply(R"({"event":"policy_changed"})"
                            "\n"));
}

TEST_CASE("native reply: a refusal") {
  const auto parsed = parse_native_reply(
      R"({"status":"error","id":"i","code":"kernel","errno":"EBUSY","error":"tap7 is in use","advice":"Take tap8."})"
      "\n");
  REQUIRE(parsed);
  const auto& refusal = std::get<Error>(*parsed);
  CHECK(refusal.code == Code::kernel);
  CHECK(refusal.errnum == EBUSY);
  CHECK(refusal.what == "tap7 is in use");
  CHECK(refusal.advice == "Take tap8.");
  // What has no name in this C library is an error all the same.
  const auto strange = parse_native_reply(R"({"status":"error","code":"denied","errno":"ENEW","error":"no"})"
                                          "\n");
  REQUIRE(strange);
  CHECK(std::get<Error>(*strange).errnum == 0);
}

TEST_CASE("native reply: what a later helper adds is passed over") {
  CHECK(parse_native_reply(with(kLeast, R"("fds":1)", R"("speed":{"up":[1,{"a":2}]},"fds":1)")));
}

TEST_CASE("native reply: what comes out is fit for a terminal, in one line each") {
  const auto parsed = parse_native_reply(with(kLeast, R"("notes":[])", R"("notes":["a\u001b[2J\nb","\u00fc"])"));
  REQUIRE(parsed);
  CHECK(std::get<NativeDevice>(*parsed).notes == std::vector<std::string>{R"(a\x1b[2J\x0ab)", R"(\xc3\xbc)"});
}

TEST_CASE("native reply: what is none is refused, and why") {
  const std::pair<std::string, std::string> kBad[] = {
      {"", "is not a whole line"},
      {std::string(kLeast).substr(0, 100), "is not a whole line"},
      {"\n", "is not what the protocol has: it is empty"},
      {"[]\n", "is not an object of JSON"},
      {"{}\n", "has no text behind \"status\""},
      {"{\"status\":\"fine\"}\n", "has no status that is known"},
      {"{\"status\":\"ok\"}\n", "has no text behind \"id\""},
      {std::string(100'000, ' ') + "\n", "is larger than any should be"},
      {std::string(60'000, '[') + "\n", "is not what the protocol has: brackets are nested more than 4 deep"},
      {with(kLeast, "tap0", "../etc"), "has no device name behind \"device\""},
      {with(kLeast, "\"tap0\"", "7"), "has no device name behind \"device\""},
      {with(kLeast, R"("ifindex":3)", R"("ifindex":0)"), "has no number from 1 to 2147483647 behind \"ifindex\""},
      {with(kLeast, R"("ifindex":3)", R"("ifindex":-3)"), "has no whole number behind \"ifindex\""},
      {with(kLeast, R"("ifindex":3)", R"("ifindex":3.0)"), "has no whole number behind \"ifindex\""},
      {with(kLeast, R"("ifindex":3)", R"("ifindex":4294967299)"),
       "has no number from 1 to 2147483647 behind \"ifindex\""},
      {with(kLeast, "02:00:00:00:00:07", "03:00:00:00:00:07"), "has no MAC address behind \"mac\""},
      {with(kLeast, R"("mtu":1500)", R"("mtu":70000)"), "has no number from 68 to 65521 behind \"mtu\""},
      {with(kLeast, R"("addresses":[])", R"("addresses":["10.0.0"])"),
       "has no IP address with a length behind \"addresses\""},
      {with(kLeast, R"("addresses":[])", R"("addresses":"10.0.0.1/24")"), "has no list behind \"addresses\""},
      {with(kLeast, R"("guests":[])", R"("guests":["10.0.0.1"])"), "has no guest behind \"guests\""},
      {with(kLeast, R"("guests":[])", R"("guests":[{"address":"10.0.0.1"}])"), "has no guest behind \"guests\""},
      {with(kLeast, R"("guests":[])", R"("guests":[{"address":"10.0.0.1","published":["longer-than-any-name"]}])"),
       "has no guest behind \"guests\""},
      {with(kLeast, R"("fds":1)", R"("fds":0)"), "has no number from 1 to 64 behind \"fds\""},
      {with(kLeast, R"("fds":1)", R"("fds":2)"), "says that 2 descriptors are of 1 queues"},
      {with(kFull, R"("vnet_hdr":true)", R"("vnet_hdr":true,"sealed":true)"),
       "says that 2 descriptors are of 2 queues"},
      {with(kFull, R"("vnet_hdr":true)", R"("vnet_hdr":1)"), "has no true or false behind \"vnet_hdr\""},
      {with(kLeast, R"("fds":1)", R"("fds":1,"fds":1)"),
       "is not what the protocol has: the key \"fds\" stands twice in one object, first in line 1; take one of them "
       "out"},
      {with(kLeast, R"("notes":[])", R"("notes":[1])"), "has no text behind \"notes\""},
      {"{\"status\":\"error\",\"code\":\"no-such-code\",\"error\":\"x\"}\n", "has no known code behind \"code\""},
      {"{\"status\":\"error\",\"code\":\"denied\"}\n", "has no text behind \"error\""},
      {"{\"status\":\"ok\",\"id\":\"i\",\"session\":true,\"fds\":1,\"notes\":[]}\n",
       "has no number from 0 to 0 behind \"fds\""},
  };
  for (const auto& [text, why] : kBad) {
    CAPTURE(text.substr(0, 300));
    CHECK(why_not(text) == "the reply of the helper " + why);
  }
  std::string many = R"("notes":["")";
  for (int i = 0; i < 64; ++i) many += R"(,"")";
  CHECK(why_not(with(kLeast, R"("notes":[])", many + "]")) ==
        "the reply of the helper lists more than 64 behind \"notes\"");
  CHECK(why_not(with(kLeast, R"("notes":[])", R"("notes":[")" + std::string(5000, 'x') + "\"]"))
            .starts_with("the reply of the helper is not what the protocol has: a string behind the key \"notes\" has "
                         "more than 4096 bytes"));
}

}  // namespace umlnet::client
