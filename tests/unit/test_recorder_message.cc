// What the executor has put on record, as the recorder gets it, and what it answers.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/fake_host.h"
#include "uml_net/channel/recorder_message.h"

using namespace umlnet;

namespace {

RecorderQuestion through(const RecorderQuestion& question) {
  const auto bytes = encode(question);
  REQUIRE(bytes.size() <= kLongestQuestion);
  auto decoded = decode_question(bytes);
  REQUIRE(decoded);
  return *decoded;
}

}  // namespace

TEST_CASE("recorder's messages: a line has all that the executor says") {
  const auto got = through({.what = Asks::failed,
                            .facts = {.request = test::add("tap0", "10.50.0.7"),
                                      .rule = "uml-guests",
                                      .reason = "rule uml-guests allows address",
                                      .device = "tap0",
                                      .ifindex = 7,
                                      .changes = {"10.50.0.7 no longer routed to tap0", "proxy ARP off for tap0"},
                                      .error = Error{Code::kernel, 17, "cannot publish", "Look."},
                                      .ended = "by hand"}});
  CHECK(got.what == Asks::failed);
  const auto& facts = got.facts;
  REQUIRE(facts.request);
  CHECK(std::get<AddAddress>(*facts.request).address.str() == "10.50.0.7");
  CHECK(facts.rule == "uml-guests");
  CHECK(facts.reason == "rule uml-guests allows address");
  CHECK(facts.device == "tap0");
  CHECK(facts.ifindex == 7);
  CHECK(facts.changes == std::vector<std::string>{"10.50.0.7 no longer routed to tap0", "proxy ARP off for tap0"});
  REQUIRE(facts.error);
  CHECK(facts.error->errnum == 17);
  CHECK(facts.error->what == "cannot publish");
  CHECK(facts.error->advice == "Look.");
  CHECK(facts.ended == "by hand");
  CHECK_FALSE(facts.session);
}

TEST_CASE("recorder's messages: summaries of both kinds of sessions") {
  SessionSummary session{};
  session.to_host = {1, 60, 2, 3};
  session.addresses_removed = 4;
  const auto ethertap = through({.what = Asks::ended, .facts = {.session = session}}).facts.session;
  REQUIRE(ethertap);
  CHECK(ethertap->to_host.too_short == 3);
  CHECK(ethertap->addresses_removed == 4);
  const auto native = through({.what = Asks::ended, .facts = {.native_session = {{5, 6, 7}}}}).facts.native_session;
  REQUIRE(native);
  CHECK(native->refused == 7);
}

TEST_CASE("recorder's messages: a record that was not understood comes with all its bytes") {
  const std::string record("open\0device=\xff\n\0", 15);
  CHECK(through({.what = Asks::not_understood, .facts = {.record = record}}).facts.record == record);
}

TEST_CASE("recorder's messages: a file of the policy comes whole") {
  const std::string text(65536, '{');
  const auto got = through({.what = Asks::remember_policy, .path = "/etc/umlnet/policy.json", .text = text});
  CHECK(got.path == "/etc/umlnet/policy.json");
  CHECK(got.text == text);
}

TEST_CASE("recorder's messages: what no line has room for is cut, and a list says how long it was") {
  AuditFacts facts{.reason = std::string(100'000, 'r'),
                   .changes = std::vector<std::string>(5000, std::string(2000, 'c')),
                   .record = std::string(8192, 'x')};
  facts.error = Error{Code::kernel, 0, std::string(100'000, 'e'), std::string(100'000, 'a')};
  const auto got = through({.what = Asks::done, .facts = facts}).facts;
  CHECK(got.reason.size() < 4096);
  CHECK(got.changes.size() == 5000);
  CHECK(got.changes.front() == std::string(512, 'c'));
  CHECK(got.record == facts.record);
}

TEST_CASE("recorder's messages: what nobody says is no question, and no answer") {
  const auto whole = encode(RecorderQuestion{.what = Asks::done, .facts = {.request = test::add("tap0", "10.50.0.7")}});
  CHECK_FALSE(decode_question(""));
  CHECK_FALSE(decode_question(whole.substr(0, 20)));
  auto strange = whole;
  strange[0] = static_cast<char>(static_cast<int>(Asks::end) + 1);
  CHECK_FALSE(decode_question(strange));
  CHECK_FALSE(decode_answer("x"));
}

TEST_CASE("recorder's messages: answers") {
  const auto bytes = encode(RecorderAnswer{.error = Error{Code::busy, 11, "busy", "Try again."},
                                           .policy_has_changed = true,
                                           .path = "/etc/umlnet/policy.json"});
  CHECK(bytes.size() <= kLongestAnswer);
  const auto got = decode_answer(bytes);
  REQUIRE(got);
  REQUIRE(got->error);
  CHECK(got->error->code == Code::busy);
  CHECK(got->error->errnum == 11);
  CHECK(got->error->advice == "Try again.");
  CHECK(got->policy_has_changed);
  CHECK(got->path == "/etc/umlnet/policy.json");
  const auto plain = decode_answer(encode(RecorderAnswer{}));
  REQUIRE(plain);
  CHECK_FALSE(plain->error);
}
