// The audit log as `umlnet log` reads it: lines, files, words and numbers.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>

#include "libumlnet/cli/audit_entry.h"
#include "libumlnet/cli/audit_filter.h"
#include "libumlnet/cli/audit_statistics.h"
#include "libumlnet/cli/audit_words.h"
#include "libumlnet/cli/followed_log.h"
#include "libumlnet/cli/latencies.h"
#include "libumlnet/cli/log_file.h"
#include "libumlnet/cli/rotated_logs.h"
#include "libumlnet/cli/terminal.h"
#include "libumlnet/cli/text_table.h"
#include "libumlnet/cli/unfinished_requests.h"
#include "libumlnet/cli/wall_clock.h"
#include "uml_net/recorder/audit_record.h"

using namespace umlnet;
using namespace umlnet::cli;

namespace {

audit::Record record(audit::Event event, audit::Stage stage) {
  audit::Record record{.time = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24),
                       .event = event,
                       .stage = stage,
                       .id = RequestId({}),
                       .caller = {}};
  record.caller.uid = 1001;
  record.caller.gid = 1002;
  record.caller.pid = 4711;
  record.caller.user = "alice";
  record.protocol = Protocol::uml4;
  record.operation = "add";
  record.request = AddAddress{*IfName::parse("tap0"), *Ipv4::parse("10.50.0.7"), Ipv4Mask(24)};
  record.rule = "guests";
  record.reason = "rule guests allows address";
  return record;
}

AuditEntry entry_of(const audit::Record& record) {
  std::string line = audit::to_line(record);
  REQUIRE(line.ends_with('\n'));
  line.pop_back();
  const auto entry = parse_audit_line(line);
  REQUIRE(entry);
  return *entry;
}

class Directory {
 public:
  Directory() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = "/tmp/umlnet-unit-XXXXXX";
};

void append(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::app) << text; }

std::vector<std::string> lines_of(LogFile& file) {
  std::vector<std::string> lines;
  REQUIRE(file.read_on([&](const LogFile::Line& line) {
    lines.push_back(line.whole ? std::string(line.text) : "cut:" + std::to_string(line.number));
  }));
  return lines;
}

std::vector<std::string> lines_of(FollowedLog& log) {
  std::vector<std::string> lines;
  REQUIRE(log.read_on([&](const LogFile&, const LogFile::Line& line) { lines.emplace_back(line.text); }));
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("audit lines: what the helper writes is read back") {
  auto intent = record(audit::Event::accept, audit::Stage::intent);
  CHECK(entry_of(intent).intent);
  CHECK(outcome_of(entry_of(intent)) == "begun");

  auto done = record(audit::Event::accept, audit::Stage::result);
  done.device = "tap0";
  done.ifindex = 7;
  done.changes = {"10.50.0.7 routed to tap0", "proxy ARP on for tap0"};
  done.duration = std::chrono::microseconds(1368);
  const auto entry = entry_of(done);
  CHECK(entry.time == floor<std::chrono::microseconds>(done.time));
  CHECK(entry.id == done.id.str());
  CHECK(entry.uid == 1001);
  CHECK(entry.gid == 1002);
  CHECK(entry.pid == 4711);
  CHECK(entry.user == "alice");
  CHECK(entry.operation == "add");
  CHECK(entry.device == "tap0");
  CHECK(entry.address == "10.50.0.7");
  CHECK(entry.netmask == "255.255.255.0");
  CHECK(entry.rule == "guests");
  CHECK(entry.ifindex == 7);
  CHECK(entry.changes == done.changes);
  CHECK(entry.duration_us == 1368);
  CHECK(outcome_of(entry) == "accepted");
  CHECK(entry_in_words(entry) == "add 10.50.0.7/24 to tap0 (rule guests)");

  auto refused = record(audit::Event::reject, audit::Stage::result);
  refused.reason = "no such luck";
  CHECK(outcome_of(entry_of(refused)) == "refused");
  CHECK(entry_in_words(entry_of(refused)) == "add 10.50.0.7/24 to tap0: no such luck");
  refused.error = "cannot route";
  refused.errnum = 17;
  CHECK(outcome_of(entry_of(refused)) == "failed");
  CHECK(entry_in_words(entry_of(refused)) == "add 10.50.0.7/24 to tap0: cannot route (EEXIST)");

  auto undone = record(audit::Event::exit, audit::Stage::result);
  undone.error = "the caller did not take the reply";
  undone.changes = {"all taken back"};
  CHECK(outcome_of(entry_of(undone)) == "undone");
  CHECK(entry_in_words(entry_of(undone)).ends_with("did not take the reply; all taken back"));

  auto ended = record(audit::Event::exit, audit::Stage::result);
  ended.operation = "ethertap";
  ended.request = OpenEthertap{*IfName::parse("tap7"), std::nullopt};
  ended.ended = "the guest closed its sockets";
  ended.session = SessionSummary{.to_guest = {1, 60, 0, 0},
                                 .to_host = {2, 120, 3, 4},
                                 .dropped_by_queue = 5,
                                 .refused_by_host = 6,
                                 .addresses_added = 1,
                                 .addresses_removed = 0};
  ended.duration = std::chrono::minutes(61);
  REQUIRE(entry_of(ended).session);
  CHECK(entry_of(ended).session->to_host.too_long == 3);
  CHECK(entry_of(ended).session->to_guest.dropped == 5);
  auto killed = record(audit::Event::exit, audit::Stage::result);
  killed.error = "uml_net was killed";
  killed.is_unfinished = true;
  CHECK(outcome_of(entry_of(killed)) == "unfinished");
  CHECK(outcome_of(entry_of(ended)) == "ended");
  CHECK(entry_in_words(entry_of(ended)) == "ethertap tap7 after 1 h 1 min: the guest closed its sockets");

  auto summary = record(audit::Event::reject, audit::Stage::result);
  summary.is_summary = true;
  summary.suppressed = 480;
  summary.reason = "480 more requests changed nothing";
  CHECK(entry_of(summary).is_summary());
  CHECK(outcome_of(entry_of(summary)) == "suppressed");
  CHECK(entry_in_words(entry_of(summary)) == summary.reason);
}

TEST_CASE("audit lines: the native protocol's requests in words") {
  auto native = record(audit::Event::accept, audit::Stage::result);
  native.protocol = Protocol::native5;
  native.changes = {"made"};
  const auto words = [&](const char* operation, Request asked) {
    native.operation = operation;
    native.request = std::move(asked);
    return entry_in_words(entry_of(native));
  };
  CHECK(words("open", OpenInterface{}) == "open (rule guests)");
  CHECK(words("open", OpenInterface{.device = IfName::parse("vm7"),
                                    .addresses = {*IpInterface::parse("10.9.0.1/24")},
                                    .guests = {*IpRange::parse("10.9.0.7"), *IpRange::parse("fd00:9::7")},
                                    .mtu = 9000,
                                    .mac = MacAddress::parse("fe:54:0:0:0:7"),
                                    .queues = 4,
                                    .virtio_headers = true,
                                    .persistent = true}) ==
        "open vm7, address 10.9.0.1/24, guests 10.9.0.7 fd00:9::7, MTU 9000, MAC fe:54:00:00:00:07, 4 queues, "
        "virtio-net headers, persistent (rule guests)");
  CHECK(words("open", OpenInterface{.guests = {*IpRange::parse("10.9.0.7")},
                                    .guest_macs = {*MacAddress::parse("52:54:0:0:0:7")},
                                    .bridge = IfName::parse("br0"),
                                    .isolated = true,
                                    .netns = 3,
                                    .sealed = true,
                                    .anti_spoof = true}) ==
        "open, bridge br0, guest 10.9.0.7, guest's MAC 52:54:00:00:00:07, isolated, in a network namespace of the "
        "caller's, sealed, no spoofing (rule guests)");
  CHECK(words("remove", RemoveInterface{*IfName::parse("vm7")}) == "remove vm7 (rule guests)");
  native.changes.clear();
  CHECK(words("session", OpenSession{}) == "session begun (rule guests)");
  native.event = audit::Event::reject;
  native.reason = "rule guests denies this";
  CHECK(words("session", OpenSession{}) == "session: rule guests denies this");

  // A session's own record, which asks for nothing on the host.
  const auto reload = parse_audit_line(
      R"({"time":"2026-11-24T04:45:57.546233Z","event":"accept","stage":"result","id":"x","caller":{"uid":1},"request":
      {"protocol":"native/5","operation":"reload"},"decision":{"reason":"the session has the policy as it is now"}})");
  REQUIRE(reload);
  CHECK(entry_in_words(*reload) == "reload: the session has the policy as it is now");

  // Values of the wrong type are passed over.
  const auto entry = parse_audit_line(
      R"({"time":"2026-11-24T04:45:57.546233Z","event":"accept","stage":"result","id":"x","caller":{"uid":1},"request":
      {"operation":"open","addresses":"10.9.0.1/24","guests":[7,"10.9.0.7"],"mtu":"1500","queues":-2,"sealed":"true",
       "isolated":1,"persistent":false,"mac":[]}})");
  REQUIRE(entry);
  CHECK(request_in_words(*entry) == "open, guest 10.9.0.7");
}

TEST_CASE("audit lines: foreign ones, cut ones, and values of the wrong type") {
  const std::string good =
      R"({"time":"2026-11-24T04:45:57Z","event":"accept","stage":"result","id":"x","caller":{"uid":1}})";
  CHECK(parse_audit_line(good));
  for (const auto* foreign :
       {"", "null", "[]", "1", "{}", "{\"a\":1}", "not JSON",
        R"({"time":"yesterday","event":"accept","stage":"result","id":"x","caller":{"uid":1}})",
        R"({"time":"2026-11-24T04:45:57Z","event":"applaud","stage":"result","id":"x","caller":{"uid":1}})",
        R"({"time":"2026-11-24T04:45:57Z","event":"accept","stage":"result","id":"","caller":{"uid":1}})",
        R"({"time":"2026-11-24T04:45:57Z","event":"accept","stage":"result","id":"x","caller":{"uid":-1}})",
        R"({"time":"2026-11-24T04:45:57Z","event":"accept","stage":"result","id":"x","caller":7})"})
    CHECK_MESSAGE(parse_audit_line(foreign).error() == NoEntry::foreign, foreign);
  const auto odd = parse_audit_line(good.substr(0, good.size() - 1) +
                                    R"(,"request":{"device":7},"decision":[],"result":{"changes":[1,"two"],)"
                                    R"("duration_us":1.5,"session":0},"suppressed":"many","new":{"key":1}})");
  REQUIRE(odd);
  CHECK(odd->device.empty());
  CHECK(odd->changes == Lines{"two"});
  CHECK(!odd->duration_us);
  CHECK(!odd->session);
  CHECK(odd->suppressed == 0);
}

TEST_CASE("audit lines: a record that was cut hides neither the one in front of it nor the one after it") {
  std::string whole = audit::to_line(record(audit::Event::accept, audit::Stage::result));
  whole.pop_back();
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const auto cut = whole.substr(0, size);
    CHECK(parse_audit_line(cut).error() == NoEntry::cut);
    CHECK(!parse_audit_line(cut + whole));
    const auto line = cut + cut + whole;
    const auto parts = split_at_records(line);
    REQUIRE(!parts.empty());
    CHECK(parts.back() == whole);
  }
  const auto twice = whole + whole, greeted = "hello" + whole;
  CHECK(split_at_records(twice) == std::vector<std::string_view>{whole, whole});
  CHECK(split_at_records(greeted) == std::vector<std::string_view>{"hello", whole});
  CHECK(split_at_records("").empty());
  // The caller's words are no record, wherever the line is cut.
  auto quoting = record(audit::Event::reject, audit::Stage::result);
  quoting.untrusted = {whole, "{\"time\":\""};
  quoting.reason = whole;
  CHECK(split_at_records(audit::to_line(quoting)).size() == 1);
}

TEST_CASE("audit lines: any prefix and any damage of a line is read without a crash") {
  const std::string line = audit::to_line(record(audit::Event::accept, audit::Stage::result));
  std::mt19937 random(1);
  for (std::size_t size = 0; size < line.size(); ++size) {
    CHECK((!parse_audit_line(line.substr(0, size)) || size >= line.size() - 1));
    std::string damaged = line;
    damaged[size] = static_cast<char>(random());
    if (const auto entry = parse_audit_line(damaged)) CHECK(!entry_in_words(*entry).empty());
  }
  CHECK(!parse_audit_line(std::string(60'000, '[')));
}

TEST_CASE("audit lines: what is shown is printable, whatever the log holds") {
  const auto entry = parse_audit_line(
      R"({"time":"2026-11-24T04:45:57Z","event":"reject","stage":"result","id":"x","caller":{"uid":1,"user":"a\u001b]0;b\u0007"},)"
      "\"request\":{\"operation\":\"add\\u001b[2J\",\"device\":\"\\u009b31m\"},\"decision\":{\"reason\":"
      "\"\\n\\r\\u007f\"}}");
  REQUIRE(entry);
  for (const auto& text : {entry_in_words(*entry), who(*entry), request_in_words(*entry)})
    for (const char c : text) CHECK_MESSAGE((c >= ' ' && c <= '~'), text);
  CHECK(who(*entry) == R"(a\x1b]0;b\x07)");
}

TEST_CASE("audit filter") {
  auto entry = entry_of(record(audit::Event::accept, audit::Stage::result));
  CHECK(AuditFilter{}.matches(entry));
  CHECK(AuditFilter{.since = entry.time}.matches(entry));
  CHECK(!AuditFilter{.since = entry.time + std::chrono::microseconds(1)}.matches(entry));
  CHECK(AuditFilter{.users = {{"bob", std::nullopt}, {"alice", std::nullopt}}}.matches(entry));
  CHECK(AuditFilter{.users = {{"", 1001}}}.matches(entry));
  CHECK(!AuditFilter{.users = {{"", 1002}}}.matches(entry));
  entry.user.clear();
  CHECK(AuditFilter{.users = {{"alice", 1001}}}.matches(entry));
  CHECK(!AuditFilter{.users = {{"", std::nullopt}}}.matches(entry));
  CHECK(AuditFilter{.devices = {"tap1", "tap0"}}.matches(entry));
  CHECK(!AuditFilter{.devices = {"tap"}}.matches(entry));
  CHECK(AuditFilter{.id = "00000000"}.matches(entry));
  CHECK(!AuditFilter{.id = "00000001"}.matches(entry));
  CHECK(!AuditFilter{.denied = true}.matches(entry));
  for (const auto event : {audit::Event::reject, audit::Event::alert})
    CHECK(AuditFilter{.denied = true}.matches(entry_of(record(event, audit::Stage::result))));
}

TEST_CASE("latencies: percentiles are off by two percent at the most, the longest by nothing") {
  Latencies none;
  CHECK(!none.percentile(50));
  CHECK(!none.longest());
  Latencies few;
  for (std::uint64_t value = 1; value <= 60; ++value) few.add(value);
  CHECK(few.percentile(50) == 30);
  CHECK(few.percentile(95) == 57);
  CHECK(few.longest() == 60);
  for (const std::uint64_t scale : {1ULL, 977ULL, 1'000'003ULL, 1ULL << 40}) {
    Latencies half, many;
    for (std::uint64_t value = 1; value <= 1000; ++value) (value % 2 == 0 ? half : many).add(value * scale);
    many.add(half);
    for (const unsigned percent : {1U, 50U, 95U, 99U}) {
      const auto exact = static_cast<double>(10 * percent * scale);
      CHECK(static_cast<double>(*many.percentile(percent)) == doctest::Approx(exact).epsilon(0.02));
    }
    CHECK(many.percentile(100) == 1000 * scale);
  }
  Latencies edge;
  edge.add(~std::uint64_t{0});
  CHECK(edge.percentile(50) == ~std::uint64_t{0});
}

TEST_CASE("audit statistics: requests by user and operation") {
  AuditStatistics statistics;
  CHECK(statistics.table().empty());
  auto done = record(audit::Event::accept, audit::Stage::result);
  statistics.add(entry_of(record(audit::Event::accept, audit::Stage::intent)));
  for (const int duration : {10, 20, 30}) {
    done.duration = std::chrono::microseconds(duration);
    statistics.add(entry_of(done));
  }
  auto refused = record(audit::Event::reject, audit::Stage::result);
  statistics.add(entry_of(refused));
  refused.error = "cannot";
  statistics.add(entry_of(refused));
  statistics.add(entry_of(record(audit::Event::exit, audit::Stage::result)));
  statistics.add(entry_of(record(audit::Event::alert, audit::Stage::result)));
  auto ended = record(audit::Event::exit, audit::Stage::result);
  ended.session.emplace();
  ended.duration = std::chrono::hours(100);
  statistics.add(entry_of(ended));
  auto summary = record(audit::Event::reject, audit::Stage::result);
  summary.is_summary = true;
  summary.suppressed = 480;
  statistics.add(entry_of(summary));
  CHECK(statistics.table() ==
        "USER   REQUEST  COUNT  OK  REFUSED  FAILED  ALERT  SUPPR   P50   P95   MAX\n"
        "alice  -            0   0        0       0      0    480     -     -     -\n"
        "alice  add          6   3        1       2      1      0  20us  30us  30us\n"
        "(all)               6   3        1       2      1    480  20us  30us  30us\n");
}

TEST_CASE("audit statistics: a made-up log of many users does not fill the memory") {
  AuditStatistics statistics;
  auto entry = entry_of(record(audit::Event::accept, audit::Stage::result));
  for (std::uint64_t uid = 0; uid < AuditStatistics::kMostRows + 5; ++uid) {
    entry.uid = uid;
    statistics.add(entry);
  }
  CHECK(statistics.table().find("(others)               5      5") != std::string::npos);
  CHECK(statistics.table().find("(all)              10005") != std::string::npos);
}

TEST_CASE("unfinished requests: those with an intent and no result") {
  UnfinishedRequests requests;
  auto intent = entry_of(record(audit::Event::accept, audit::Stage::intent));
  requests.add(intent);
  intent.operation = "gc";
  requests.add(intent);
  requests.add(entry_of(record(audit::Event::reject, audit::Stage::result)));
  CHECK(requests.take_begun_before(intent.time).empty());
  const auto left = requests.take_begun_before(Microseconds::max());
  REQUIRE(left.size() == 1);
  CHECK(left[0].operation == "gc");
  for (std::size_t i = 0; i < UnfinishedRequests::kMost + 10; ++i) requests.add(intent);
  CHECK(requests.take_begun_before(Microseconds::max()).size() == UnfinishedRequests::kMost);
}

TEST_CASE("log file: whole lines once, as the file grows") {
  const Directory directory;
  const auto path = directory / "log";
  append(path, "one\ntwo\nthr");
  auto file = LogFile::open(path);
  REQUIRE(file);
  CHECK(lines_of(*file) == Lines{"one", "two"});
  CHECK(lines_of(*file).empty());
  append(path, "\nfour\n\n");
  CHECK(lines_of(*file) == Lines{"thr", "four", ""});
  append(path, "five");
  CHECK(lines_of(*file).empty());
  Lines rest;
  file->read_rest(
      [&](const LogFile::Line& line) { rest.push_back(std::string(line.text) + std::to_string(line.number)); });
  CHECK(rest == Lines{"five6"});
}

TEST_CASE("log file: a file that is cut, or written anew, is read anew") {
  const Directory directory;
  const auto path = directory / "log";
  append(path, "one\ntwo\n");
  auto file = LogFile::open(path);
  REQUIRE(file);
  CHECK(lines_of(*file) == Lines{"one", "two"});
  REQUIRE(::truncate(path.c_str(), 0) == 0);
  CHECK(lines_of(*file).empty());
  append(path, "three\n");
  CHECK(lines_of(*file) == Lines{"three"});
  // Longer than before by the time anybody looks.
  REQUIRE(::truncate(path.c_str(), 0) == 0);
  append(path, "four\nfive\nsix\n");
  CHECK(lines_of(*file) == Lines{"four", "five", "six"});
  CHECK(lines_of(*file).empty());
}

TEST_CASE("log file: a line without end does not fill the memory, and costs no other line") {
  const Directory directory;
  const auto path = directory / "log";
  const std::string longest(LogFile::kLongestLine, 'x');
  append(path, "one\n" + longest + "\n" + longest + "x\n" + std::string(1'000'000, 'y'));
  auto file = LogFile::open(path);
  REQUIRE(file);
  CHECK(lines_of(*file) == Lines{"one", longest, "cut:3", "cut:4"});
  append(path, "yyy\nlast\n");
  CHECK(lines_of(*file) == Lines{"last"});
}

TEST_CASE("log file: what cannot be read is explained") {
  const Directory directory;
  CHECK(LogFile::open(directory / "none").error().text.find("No such file") != std::string::npos);
  CHECK(LogFile::open(directory / "").error().text.find("Is a directory") != std::string::npos);
}

TEST_CASE("rotated logs: oldest first, plain and compressed, nothing else") {
  const Directory directory;
  const auto path = directory / "audit.jsonl";
  int age = 10;
  const auto make = [&](const std::string& name) {
    append(directory / name, "x\n");
    const timespec times[2] = {{1'000'000 - 10 * age, 0}, {1'000'000 - 10 * age, 0}};
    REQUIRE(::utimensat(AT_FDCWD, (directory / name).c_str(), times, 0) == 0);
    --age;
  };
  for (const auto* name : {"audit.jsonl.3.gz", "audit.jsonl-20261124", "audit.jsonl.2", "audit.jsonl.1",
                           "audit.jsonl.bak", "audit.jsonl.1.swp", "audit.jsonl", "audit.refusals", "other.1"})
    make(name);
  const auto all = rotated_logs(path, Microseconds::min());
  CHECK(all.plain == Lines{path + "-20261124", path + ".2", path + ".1"});
  CHECK(all.compressed == Lines{path + ".3.gz"});
  const auto late = rotated_logs(path, std::chrono::sys_seconds(std::chrono::seconds(1'000'000 - 75)));
  CHECK(late.plain == Lines{path + ".1"});
  CHECK(late.compressed.empty());
  CHECK(rotated_logs("/nonexistent/log", Microseconds::min()).plain.empty());
}

TEST_CASE("followed log: nothing is lost or told twice across rotations") {
  const Directory directory;
  const auto path = directory / "log", first = path + ".1", second = path + ".2";
  append(second, "long ago\n");
  append(path, "one\n");
  auto file = LogFile::open(path);
  REQUIRE(file);
  CHECK(lines_of(*file) == Lines{"one"});
  FollowedLog log(path, *std::move(file));
  append(path, "two\n");
  CHECK(lines_of(log) == Lines{"two"});

  // A writer that had the file open goes on, and in between there is no file.
  std::ofstream session(path, std::ios::app);
  REQUIRE(std::rename(path.c_str(), first.c_str()) == 0);
  CHECK(lines_of(log).empty());
  append(path, "four\n");
  session << "three\n" << std::flush;
  CHECK(lines_of(log) == Lines{"three", "four"});
  session << "five\n" << std::flush;
  CHECK(lines_of(log) == Lines{"five"});

  // Two rotations between two looks.
  append(path, "six\n");
  REQUIRE(std::rename(first.c_str(), second.c_str()) == 0);
  REQUIRE(std::rename(path.c_str(), first.c_str()) == 0);
  append(path, "seven\n");
  REQUIRE(std::rename(first.c_str(), (path + ".3").c_str()) == 0);
  REQUIRE(std::rename(path.c_str(), first.c_str()) == 0);
  append(path, "eight\n");
  CHECK(lines_of(log) == Lines{"six", "seven", "eight"});

  // copytruncate
  std::filesystem::copy_file(path, path + ".4");
  REQUIRE(::truncate(path.c_str(), 0) == 0);
  append(path, "nine\n");
  CHECK(lines_of(log) == Lines{"nine"});
  CHECK(lines_of(log).empty());
}

TEST_CASE("since: spans, days and points in time") {
  using namespace std::chrono;
  const Microseconds now = sys_days(year(2026) / 11 / 24) + 4h + 45min;
  const auto since = [&](std::string_view text) { return parse_since(text, now, Zone::utc); };
  CHECK(since("90s") == now - 90s);
  CHECK(since("10m") == now - 10min);
  CHECK(since("2h") == now - 2h);
  CHECK(since("3d") == now - days(3));
  CHECK(since("1w") == now - days(7));
  CHECK(since("today") == sys_days(year(2026) / 11 / 24));
  CHECK(since("yesterday") == sys_days(year(2026) / 11 / 23));
  CHECK(since("2026-11-20") == sys_days(year(2026) / 11 / 20));
  CHECK(since("2026-11-20 05:45") == sys_days(year(2026) / 11 / 20) + 5h + 45min);
  CHECK(since("2026-11-20T05:45:01") == sys_days(year(2026) / 11 / 20) + 5h + 45min + 1s);
  CHECK(since("2026-11-20T05:45:01+01:00") == sys_days(year(2026) / 11 / 20) + 4h + 45min + 1s);
  for (const auto* text : {"", "m", "-1m", "1.5h", "10 m", "10mm", "tomorrow", "2026-11", "2026-02-30", "05:45"})
    CHECK_MESSAGE(!since(text), text);

  const char* before = std::getenv("TZ");
  const std::string zone = before != nullptr ? before : "";
  ::setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1);
  ::tzset();
  CHECK(parse_since("2026-11-20", now, Zone::local) == sys_days(year(2026) / 11 / 20) + 5h);
  CHECK(parse_since("2026-07-01", now, Zone::local) == sys_days(year(2026) / 7 / 1) + 4h);
  CHECK(parse_since("today", now, Zone::local) == sys_days(year(2026) / 11 / 23) + 5h);
  CHECK(clock_text(now, Zone::local) == "23:45:00");
  CHECK(date_text(now, Zone::local) == "2026-11-23");
  CHECK(zone_text(now, Zone::local) == "local time (EST)");
  if (before != nullptr)
    ::setenv("TZ", zone.c_str(), 1);
  else
    ::unsetenv("TZ");
  ::tzset();
  CHECK(fine_clock_text(now + 7ms, Zone::utc) == "04:45:00.007");
  CHECK(short_text(now, now, Zone::utc) == "04:45:00");
  CHECK(short_text(now - days(1), now, Zone::utc) == "2026-11-23");
}

TEST_CASE("text is wrapped at spaces, and inside of words where there is no other way") {
  CHECK(wrapped("one two three", 0) == Lines{"one two three"});
  CHECK(wrapped("one two three", 7) == Lines{"one two", "three"});
  CHECK(wrapped("one two three", 8) == Lines{"one two", "three"});
  CHECK(wrapped("unbreakable", 4) == Lines{"unbr", "eaka", "ble"});
  CHECK(wrapped("", 4) == Lines{""});
}

TEST_CASE("a table is as wide as what stands in it") {
  TextTable table({{"A"}, {"NUMBER", true}, {"C"}});
  table.add_line({"long one", "7", ""});
  table.add({{"x"}, {"1", "22"}, {"y", "z"}});
  CHECK(table.str() ==
        "A         NUMBER  C\n"
        "long one       7\n"
        "x              1  y\n"
        "              22  z\n");
}
