#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "fake_host.h"
#include "uml_net/recorder/audit_record.h"

using namespace umlnet;
using namespace umlnet::test;
using nlohmann::json;

namespace {

audit::Record record() {
  using namespace std::chrono;
  audit::Record record{.time = sys_days(2026y / 2 / 3) + 4h + 5min + 6s + 7us,
                       .event = audit::Event::accept,
                       .stage = audit::Stage::result,
                       .id = RequestId({}),
                       .caller = caller(1001)};
  record.caller.user = "alice";
  record.protocol = Protocol::uml4;
  record.operation = "add";
  record.request = add("tap0", "10.50.0.7");
  record.rule = "alice";
  record.reason = "rule alice allows address";
  record.changes = {"10.50.0.7 routed to tap0"};
  record.duration = std::chrono::microseconds(1234);
  return record;
}

}  // namespace

TEST_CASE("audit: one accepted request, word for word") {
  CHECK(
      audit::to_line(record()) ==
      R"({"time":"2026-02-03T04:05:06.000007Z","event":"accept","stage":"result",)"
      R"("id":"00000000-0000-4000-8000-000000000000","caller":{"uid":1001,"gid":1001,"pid":1,"user":"alice"},)"
      R"("request":{"protocol":"uml/4","operation":"add","device":"tap0","address":"10.50.0.7","netmask":"255.255.255.0"},)"
      R"("decision":{"rule":"alice","reason":"rule alice allows address"},)"
      R"("result":{"changes":["10.50.0.7 routed to tap0"],"duration_us":1234}})"
      "\n");
}

TEST_CASE("audit: what the kernel says of the caller besides") {
  auto known = record();
  known.caller.helper_pid = 4712;
  known.caller.loginuid = 1002;
  known.caller.sessionid = 3;
  CHECK(audit::to_line(known).contains(
      R"("caller":{"uid":1001,"gid":1001,"pid":1,"helper_pid":4712,"user":"alice","loginuid":1002,"sessionid":3},)"));
}

TEST_CASE("audit: an intent has no result yet, and a request that named nothing names nothing") {
  auto intent = record();
  intent.stage = audit::Stage::intent;
  intent.request = MakeTap{};
  const auto line = json::parse(audit::to_line(intent));
  CHECK(!line.contains("result"));
  CHECK(line["request"] == json{{"protocol", "uml/4"}, {"operation", "add"}});
}

TEST_CASE("audit: a request for a bridge names it") {
  auto bridging = record();
  bridging.protocol = Protocol::qemu_bridge;
  bridging.operation = "bridge";
  bridging.request = bridged("br0");
  CHECK(json::parse(audit::to_line(bridging))["request"] ==
        json{{"protocol", "qemu-bridge"}, {"operation", "bridge"}, {"bridge", "br0"}});
}

TEST_CASE("audit: the native protocol's requests name what was asked for, and nothing else") {
  auto native = record();
  native.protocol = Protocol::native5;
  const auto request = [&](const char* operation, Request asked) {
    native.operation = operation;
    native.request = std::move(asked);
    return json::parse(audit::to_line(native))["request"];
  };
  const json head = {{"protocol", "native/5"}, {"operation", "open"}};
  CHECK(request("open", OpenInterface{}) == head);
  OpenInterface all{.device = IfName::parse("vm7"),
                    .addresses = {*IpInterface::parse("10.9.0.1/24"), *IpInterface::parse("fd00:9::1/64")},
                    .guests = {*IpRange::parse("10.9.0.7"), *IpRange::parse("fd00:9::7")},
                    .guest_macs = {*MacAddress::parse("52:54:0:0:0:7")},
                    .bridge = IfName::parse("br0"),
                    .isolated = true,
                    .mtu = 9000,
                    .mac = MacAddress::parse("fe:54:0:0:0:7"),
                    .queues = 4,
                    .virtio_headers = true,
                    .netns = 7,
                    .persistent = true,
                    .owner = DeviceOwner{.id = 1002},
                    .sealed = true,
                    .anti_spoof = true};
  CHECK(request("open", all) == json{{"protocol", "native/5"},
                                     {"operation", "open"},
                                     {"device", "vm7"},
                                     {"addresses", {"10.9.0.1/24", "fd00:9::1/64"}},
                                     {"guests", {"10.9.0.7", "fd00:9::7"}},
                                     {"guest_mac", "52:54:00:00:00:07"},
                                     {"bridge", "br0"},
                                     {"isolated", true},
                                     {"mtu", 9000},
                                     {"mac", "fe:54:00:00:00:07"},
                                     {"queues", 4},
                                     {"vnet_hdr", true},
                                     {"netns", true},
                                     {"persistent", true},
                                     {"owner", 1002},
                                     {"sealed", true},
                                     {"anti_spoof", true}});
  CHECK(request("remove", RemoveInterface{*IfName::parse("vm7")}) ==
        json{{"protocol", "native/5"}, {"operation", "remove"}, {"device", "vm7"}});
  CHECK(request("session", OpenSession{}) == json{{"protocol", "native/5"}, {"operation", "session"}});
  CHECK(audit::device_of(native).empty());

  // The most that can be asked for, with the longest texts of everything else.
  for (int i = 0; i < 14; ++i) {
    const auto last = "fd00:1234:5678:9abc:def0:1234:5678:90" + std::to_string(10 + i);
    all.addresses.push_back(*IpInterface::parse(last + "/128"));
    all.guests.push_back(*IpRange::parse(last));
  }
  native.changes.assign(100, std::string(300, '\xff'));
  native.untrusted.assign(64, std::string(300, '\xff'));
  native.reason = native.error = std::string(5000, '\xff');
  native.rule = std::string(64, 'r');
  native.caller.user = std::string(300, '\xff');
  native.operation = "open";
  native.request = all;
  const auto line = audit::to_line(native);
  CHECK(line.size() <= audit::kMaxLine);
  CHECK(json::parse(line)["request"]["guests"].size() == 16);
}

TEST_CASE("audit: whatever comes from outside, a line is ASCII, one line, and at most 4,096 bytes") {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  auto wild = record();
  wild.untrusted.assign(64, every_byte);
  wild.changes.assign(100, every_byte + every_byte);
  wild.caller.user = every_byte;
  wild.error = every_byte + every_byte + every_byte + every_byte;
  wild.reason = wild.error;
  const auto line = audit::to_line(wild);
  CHECK(line.size() <= audit::kMaxLine);
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(std::ranges::all_of(line, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
  CHECK(json::parse(line)["event"] == "accept");
}

TEST_CASE("audit: a long list says how much of it is missing") {
  auto many = record();
  many.changes.assign(40, "10.50.0.7 no longer published on eth0");
  const auto changes = json::parse(audit::to_line(many))["result"]["changes"];
  CHECK(changes.size() == 33);
  CHECK(changes.back() == "... and 8 more");
}

TEST_CASE("audit: a line that counts others speaks of a uid, and of no process and no request") {
  auto summary = record();
  summary.is_summary = true;
  summary.event = audit::Event::reject;
  summary.suppressed = 80;
  const auto line = json::parse(audit::to_line(summary));
  CHECK(line["caller"] == json{{"uid", 1001}, {"user", "alice"}});
  CHECK(!line.contains("request"));
  CHECK(line["suppressed"] == 80);
}
