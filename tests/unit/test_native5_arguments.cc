#include <doctest/doctest.h>

#include <sstream>

#include "libumlnet/core/native5_arguments.h"

using namespace umlnet;

namespace {

std::vector<std::string> split(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

Call call(const std::string& line) {
  const auto words = split(line);
  const std::vector<std::string_view> views(words.begin(), words.end());
  return native5::parse_call(views);
}

OpenInterface opened(const std::string& line) {
  const auto parsed = call(line);
  REQUIRE_MESSAGE(parsed.request.has_value(), line, ": ", (parsed.request ? "" : parsed.request.error().text()));
  REQUIRE(std::holds_alternative<OpenInterface>(*parsed.request));
  return std::get<OpenInterface>(*parsed.request);
}

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

std::string repeated(const std::string& option, int times) {
  std::string line;
  for (int i = 1; i <= times; ++i) line += " " + option + "10.9.0." + std::to_string(i);
  return line;
}

}  // namespace

TEST_CASE("native: an interface without options has the safe default of each") {
  const auto parsed = call("open");
  CHECK(parsed.protocol == Protocol::native5);
  CHECK(parsed.reply == ReplyForm::json);
  CHECK(parsed.operation == "open");
  CHECK(!parsed.descriptor);
  const auto open = opened("open");
  CHECK((!open.device && open.guest_macs.empty() && !open.bridge && !open.mtu && !open.mac && !open.netns));
  CHECK((open.addresses.empty() && open.guests.empty()));
  CHECK(open.queues == 1);
  CHECK(!(open.isolated || open.virtio_headers || open.persistent || open.sealed || open.anti_spoof));
}

TEST_CASE("native: each option says what it says") {
  CHECK(opened("open device=vm7").device->str() == "vm7");
  CHECK(opened("open device=a=b").device->str() == "a=b");  // the first "=" divides
  CHECK(opened("open bridge=br0").bridge->str() == "br0");
  CHECK(opened("open bridge=br0 isolated").isolated);
  CHECK(opened("open mtu=68").mtu == 68);
  CHECK(opened("open mtu=65521").mtu == 65521);
  CHECK(opened("open mac=52:54:0:12:34:56").mac->str() == "52:54:00:12:34:56");
  CHECK(opened("open queues=1").queues == 1);
  CHECK(opened("open queues=64").queues == 64);
  CHECK(opened("open vnet-hdr").virtio_headers);
  CHECK(opened("open guest=10.50.7.64/29 guest=fd00:7::/48 guest=10.50.7.7/32").guests ==
        std::vector{*IpRange::parse("10.50.7.64/29"), *IpRange::parse("fd00:7::/48"), *IpRange::parse("10.50.7.7")});
  CHECK(opened("open device=vm7 persist").persistent);
  CHECK(!opened("open device=vm7 persist").owner);
  CHECK(opened("open device=vm7 persist owner=0").owner == DeviceOwner{.id = 0});
  CHECK(opened("open device=vm7 persist owner=:100").owner == DeviceOwner{DeviceOwner::Kind::group, 100});
  CHECK(opened("open sealed").sealed);
  CHECK(opened("open sealed queues=1").sealed);

  const auto spoofless = opened("open anti-spoof guest=10.50.0.7 guest-mac=52:54:00:00:00:07");
  CHECK(spoofless.anti_spoof);
  CHECK(spoofless.guest_macs == std::vector{*MacAddress::parse("52:54:00:00:00:07")});
  const auto nested = opened("open anti-spoof guest=10.50.0.7 guest-mac=52:54:00:00:00:07 guest-mac=52:54:00:00:00:08");
  CHECK(nested.guest_macs.size() == 2);

  const auto both =
      opened("open address=10.9.0.1/24 guest=fd00:9::7 address=fd00:9::1 guest=10.9.0.7 address=10.8.0.1");
  REQUIRE(both.addresses.size() == 3);
  CHECK(both.addresses[0].str() == "10.9.0.1/24");
  CHECK(both.addresses[1].str() == "fd00:9::1/128");
  CHECK(both.addresses[2].str() == "10.8.0.1/32");
  REQUIRE(both.guests.size() == 2);
  CHECK(both.guests[0].compact() == "fd00:9::7");
  CHECK(both.guests[1].compact() == "10.9.0.7");
  CHECK(opened("open" + repeated("address=", 16)).addresses.size() == 16);
  CHECK(opened("open" + repeated("guest=", 16)).guests.size() == 16);

  const auto there = call("open netns=7");
  CHECK(there.descriptor == 7);
  REQUIRE(there.request);
  CHECK(std::get<OpenInterface>(*there.request).netns == 7);
}

TEST_CASE("native: what is refused, and in which words") {
  struct Row {
    std::string line;
    Code code;
    std::string what;
  };
  const Row rows[] = {
      {"", Code::usage, "\"\" is no request of the native protocol"},
      {"Open", Code::usage, "\"Open\" is no request of the native protocol"},
      {"tuntap up", Code::usage, "\"tuntap\" is no request of the native protocol"},
      {"session now", Code::usage, "\"session\" takes one option, events"},
      {"session events events", Code::usage, "\"session\" takes one option, events"},
      {"reload", Code::usage, "\"reload\" is a record of a session, and takes no options"},

      {"open device", Code::usage, "\"device\" is no option of \"open\""},
      {"open isolated=1", Code::usage, "\"isolated=1\" is no option of \"open\""},
      {"open =", Code::usage, "\"=\" is no option of \"open\""},
      {"open gateway=10.9.0.1", Code::usage, "\"gateway=10.9.0.1\" is no option of \"open\""},
      {"open Device=vm7", Code::usage, "\"Device=vm7\" is no option of \"open\""},
      {"open \x1b[31m", Code::usage, "\"\\x1b[31m\" is no option of \"open\""},

      {"open device=", Code::bad_value, "device= is not the name of a device"},
      {"open device=1234567890123456", Code::bad_value, "device=1234567890123456 is not the name of a device"},
      {"open device=vm%d", Code::bad_value, "device=vm%d is not the name of a device"},
      {"open device=a/b", Code::bad_value, "device=a/b is not the name of a device"},
      {"open device=..", Code::bad_value, "device=.. is not the name of a device"},
      {"open bridge=br:0", Code::bad_value, "bridge=br:0 is not the name of a device"},

      {"open address=", Code::bad_value, "address= is not an IP address"},
      {"open address=10.9.0.1/33", Code::bad_value, "address=10.9.0.1/33 is not an IP address"},
      {"open address=10.9.0.1/", Code::bad_value, "is not an IP address"},
      {"open address=10.9.0.1/024", Code::bad_value, "is not an IP address"},
      {"open address=10.9.0.1/-1", Code::bad_value, "is not an IP address"},
      {"open address=10.9.0.1/255.255.255.0", Code::bad_value, "is not an IP address"},
      {"open address=10.9.1", Code::bad_value, "is not an IP address"},
      {"open address=010.9.0.1", Code::bad_value, "is not an IP address"},
      {"open address=fd00::1/129", Code::bad_value, "is not an IP address"},
      {"open address=fe80::1%eth0", Code::bad_value, "is not an IP address"},
      {"open guest=10.9.0.7/24", Code::bad_value, "guest=10.9.0.7/24 is not an IP address"},
      {"open guest=vm7.example", Code::bad_value, "guest=vm7.example is not an IP address"},

      {"open guest-mac=52:54:00:00:00 anti-spoof guest=10.9.0.7", Code::bad_value,
       "guest-mac=52:54:00:00:00 is not the MAC address of one interface"},
      {"open mac=53:54:00:00:00:01", Code::bad_value, "is not the MAC address of one interface"},
      {"open mac=00:00:00:00:00:00", Code::bad_value, "is not the MAC address of one interface"},
      {"open mac=ff:ff:ff:ff:ff:ff", Code::bad_value, "is not the MAC address of one interface"},

      {"open mtu=67", Code::bad_value, "mtu=67 is not a number from 68 to 65521"},
      {"open mtu=65522", Code::bad_value, "mtu=65522 is not a number from 68 to 65521"},
      {"open mtu=4294968796", Code::bad_value, "is not a number from 68 to 65521"},
      {"open mtu=01500", Code::bad_value, "is not a number"},
      {"open mtu=0x5dc", Code::bad_value, "is not a number"},
      {"open mtu=+1500", Code::bad_value, "is not a number"},
      {"open mtu=", Code::bad_value, "is not a number"},
      {"open queues=0", Code::bad_value, "queues=0 is not a number from 1 to 64"},
      {"open queues=65", Code::bad_value, "queues=65 is not a number from 1 to 64"},
      {"open queues=-1", Code::bad_value, "queues=-1 is not a number from 1 to 64"},
      {"open netns=2", Code::bad_value, "netns=2 is not the number of a descriptor"},
      {"open netns=/proc/1/ns/net", Code::bad_value, "netns=/proc/1/ns/net is not the number of a descriptor"},
      {"open netns=99999999999", Code::bad_value, "is not the number of a descriptor"},

      {"open device=a device=a", Code::usage, "the option device is given twice"},
      {"open bridge=a bridge=b", Code::usage, "the option bridge is given twice"},
      {"open mtu=1500 mtu=1400", Code::usage, "the option mtu is given twice"},
      {"open sealed sealed", Code::usage, "the option sealed is given twice"},
      {"open netns=3 netns=4", Code::usage, "the option netns is given twice"},
      {"open address=10.9.0.1/24 address=10.9.0.1/16", Code::usage, "address=10.9.0.1/16: the address is given twice"},
      {"open guest=fd00::7 guest=fd00:0::7", Code::usage, "guest=fd00:0::7: the address is given twice"},
      {"open address=10.9.0.1/24 guest=10.9.0.1", Code::usage,
       "10.9.0.1 is asked for as the host's address and as the guest's"},
      {"open" + repeated("address=", 17), Code::usage, "there are more than 16 options address="},
      {"open" + repeated("guest=", 17), Code::usage, "there are more than 16 options guest="},

      {"open isolated", Code::usage, "isolated needs bridge=: it is a bridge that isolates its ports"},
      {"open persist", Code::usage, "persist needs device="},
      {"open guest=10.50.7.64/29 guest=10.50.7.70", Code::usage, "guest=10.50.7.70: the address is given twice"},
      {"open guest=10.50.7.65/29", Code::bad_value, "guest=10.50.7.65/29 is not an IP address"},
      {"open guest=10.0.0.0/7", Code::bad_value, "guest=10.0.0.0/7 is not an IP address"},
      {"open guest=fd00::/15", Code::bad_value, "guest=fd00::/15 is not an IP address"},
      {"open guest=10.50.7.64/29 address=10.50.7.65/32", Code::usage,
       "10.50.7.65 is asked for as the host's address and"},
      {"open device=vm7 owner=1", Code::usage, "owner= needs persist"},
      {"open device=vm7 persist owner=1 owner=2", Code::usage, "the option owner is given twice"},
      {"open device=vm7 persist owner=alice", Code::bad_value, "owner=alice is not the number of a user or a group"},
      {"open device=vm7 persist owner=4294967295", Code::bad_value, "owner=4294967295 is not the number"},
      {"open device=vm7 persist owner=:", Code::bad_value, "owner=: is not the number"},
      {"open anti-spoof guest=10.9.0.7", Code::usage, "anti-spoof needs guest-mac="},
      {"open anti-spoof guest-mac=52:54:00:00:00:07", Code::usage, "anti-spoof needs guest="},
      {"open guest-mac=52:54:00:00:00:07", Code::usage, "guest-mac= needs anti-spoof"},
      {"open anti-spoof guest=10.9.0.7 guest-mac=52:54:0:0:0:7 guest-mac=52:54:00:00:00:07", Code::usage,
       "guest-mac=52:54:00:00:00:07: the address is given twice"},
      {"open anti-spoof guest=10.9.0.7 guest-mac=2:0:0:0:0:1 guest-mac=2:0:0:0:0:2 guest-mac=2:0:0:0:0:3 "
       "guest-mac=2:0:0:0:0:4 guest-mac=2:0:0:0:0:5 "
       "guest-mac=2:0:0:0:0:6 guest-mac=2:0:0:0:0:7 guest-mac=2:0:0:0:0:8 guest-mac=2:0:0:0:0:9",
       Code::usage, "more than 8 options guest-mac="},
      {"open bridge=br0 address=10.9.0.1", Code::usage, "bridge= does not go with address="},
      {"open sealed queues=2", Code::usage, "sealed does not go with queues="},
      {"open sealed vnet-hdr", Code::usage, "sealed does not go with vnet-hdr"},
      {"open sealed persist device=vm7", Code::usage, "sealed does not go with persist"},
      {"open persist device=vm7 netns=3", Code::usage, "persist does not go with netns="},
      {"open mtu=1279 guest=fd00::7", Code::bad_value, "mtu=1279 is too small for IPv6"},
      {"open mtu=1279 address=fd00::1", Code::bad_value, "mtu=1279 is too small for IPv6"},

      {"remove", Code::usage, "\"remove\" takes one word, device=NAME, and got 0"},
      {"remove vm7", Code::usage, "\"remove\" takes one word, device=NAME, and got \"vm7\""},
      {"remove device=vm7 persist", Code::usage, "\"remove\" takes one word, device=NAME, and got 2"},
      {"remove device=", Code::bad_value, "device= is not the name of a device"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.line);
    const auto parsed = call(row.line);
    REQUIRE(!parsed.request);
    CHECK(parsed.protocol == Protocol::native5);
    CHECK_MESSAGE(parsed.reply == ReplyForm::json, "whoever speaks it is answered in it");
    CHECK(parsed.request.error().code == row.code);
    CHECK_MESSAGE(parsed.request.error().what.contains(row.what), parsed.request.error().what);
    CHECK(!parsed.descriptor);
  }
  CHECK(opened("open mtu=1280 guest=fd00::7").mtu == 1280);
  CHECK(opened("open mtu=1279 guest=10.9.0.7").mtu == 1279);
  // The audit log names what was asked for, also where it was asked for badly.
  CHECK(call("open nonsense").operation == "open");
  CHECK(call("remove").operation == "remove");
  CHECK(call("nonsense").operation.empty());
}

TEST_CASE("native: remove and session") {
  const auto removed = call("remove device=vm7");
  CHECK(removed.operation == "remove");
  REQUIRE(removed.request);
  CHECK(std::get<RemoveInterface>(*removed.request).device.str() == "vm7");
  const auto session = call("session");
  CHECK(session.operation == "session");
  REQUIRE(session.request);
  CHECK(!std::get<OpenSession>(*session.request).events);
  CHECK(std::get<OpenSession>(call("session events").request.value()).events);
}

TEST_CASE("native: what a request's words are, parses as the same request") {
  const std::string lines[] = {
      "open",
      "open device=vm7 address=10.9.0.1/24 address=fd00:9::1/64 guest=10.9.0.7 guest=fd00:9::7 mtu=9000 "
      "mac=52:54:00:12:34:56 queues=4 owner=:100 vnet-hdr persist",
      "open guest=10.9.0.7 guest-mac=52:54:00:00:00:07 guest-mac=52:54:00:00:00:08 bridge=br0 isolated sealed "
      "anti-spoof",
      "open netns=3",
  };
  for (const auto& line : lines) CHECK(joined(native5::words_of(opened(line))) == line);
  CHECK(joined(native5::words_of(opened("open vnet-hdr queues=2 guest=fd00:0::7 address=10.9.0.1"))) ==
        "open address=10.9.0.1/32 guest=fd00::7 queues=2 vnet-hdr");
  const auto removed = call("remove device=vm7");
  CHECK(joined(native5::words_of(std::get<RemoveInterface>(*removed.request))) == "remove device=vm7");
}

TEST_CASE("native: a session's record is the same grammar, but for descriptors and NUL bytes") {
  using namespace std::string_literals;
  const auto record = native5::to_record(split("open device=vm7 netns=0"));
  CHECK(record == "open\0device=vm7\0netns=0\0"s);
  const auto request = native5::parse_record(record);
  REQUIRE(request);
  CHECK(std::get<OpenInterface>(*request).netns == 0);
  CHECK(std::get<OpenInterface>(*request).device->str() == "vm7");
  const auto removed = native5::parse_record("remove\0device=vm7\0"s);
  REQUIRE(removed);
  CHECK(std::get<RemoveInterface>(*removed).device.str() == "vm7");

  struct Row {
    std::string record;
    std::string what;
  };
  const Row rows[] = {
      {"", "a session's record is not whole"},
      {"open", "a session's record is not whole"},
      {"open\0device=vm7"s, "a session's record is not whole"},
      {"\0"s, "\"\" is no request of the native protocol"},
      {"session\0"s, "\"session\" is no request of the native protocol"},
      {"reload\0now\0"s, "\"reload\" is a record of a session, and takes no options"},
      {"5\0open\0"s, "\"5\" is no request of the native protocol"},
      {"open\0\0"s, "\"\" is no option of \"open\""},
      {"open device=vm7\0"s, "\"open device=vm7\" is no request of the native protocol"},
      {"open\0netns=256\0"s, "netns=256 is not the number of a descriptor"},
      {"open\0netns=00\0"s, "netns=00 is not the number of a descriptor"},
      {"open\0device=vm7\n\0"s, "device=vm7\\x0a is not the name of a device"},
      {"remove\0"s, "takes one word"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    const auto refused = native5::parse_record(row.record);
    REQUIRE(!refused);
    CHECK_MESSAGE(refused.error().what.contains(row.what), refused.error().what);
  }
}
