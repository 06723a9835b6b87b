#include <doctest/doctest.h>

#include "uml_net/recorder/refusal_counters.h"

using umlnet::audit::RefusalCounters;

namespace {

constexpr RefusalCounters::Time kNow{std::chrono::seconds{1'790'000'000}};

// Of one process alone: there is no such file.
RefusalCounters counters() {
  auto opened = RefusalCounters::open("/nonexistent/audit.refusals");
  REQUIRE(opened);
  return *std::move(opened);
}

unsigned lines(RefusalCounters& counters, uid_t uid, unsigned requests, RefusalCounters::Time now) {
  unsigned got = 0;
  for (unsigned i = 0; i < requests; ++i) got += counters.count(uid, now) ? 1 : 0;
  return got;
}

}  // namespace

TEST_CASE("refusals: of each uid the first twenty in a window get a line") {
  auto all = counters();
  CHECK(lines(all, 1001, 50, kNow) == RefusalCounters::kLines);
  CHECK(lines(all, 1002, 5, kNow) == 5);
  CHECK(lines(all, 0, 50, kNow) == RefusalCounters::kLines);
  CHECK_MESSAGE(all.take_finished(kNow).empty(), "the window is not over");
  CHECK_MESSAGE(lines(all, 1001, 50, kNow - RefusalCounters::kWindow) == 0, "nor for who read the clock before");

  const auto later = kNow + RefusalCounters::kWindow;
  auto finished = all.take_finished(later);
  REQUIRE(finished.size() == 2);
  if (finished[0].uid != 1001) std::swap(finished[0], finished[1]);
  CHECK((finished[0].uid == 1001 && finished[0].number == 80));
  CHECK((finished[1].uid == 0 && finished[1].number == 30));
  CHECK(all.take_finished(later).empty());
  CHECK(lines(all, 1001, 50, later) == RefusalCounters::kLines);
}

TEST_CASE("refusals: at the end of a session its own are taken, and the window goes on") {
  auto all = counters();
  lines(all, 1001, 50, kNow);
  CHECK(all.take(1001) == 30);
  CHECK(all.take(1001) == 0);
  CHECK(all.take(1002) == 0);
  CHECK(lines(all, 1001, 5, kNow) == 0);
  CHECK(all.take(1001) == 5);
}

TEST_CASE("refusals: what could not be recorded is there again") {
  auto all = counters();
  all.put_back({1001, 7}, kNow);
  CHECK_MESSAGE(lines(all, 1001, 3, kNow) == 3, "and suppresses nothing");
  const auto finished = all.take_finished(kNow);
  REQUIRE(finished.size() == 1);
  CHECK((finished[0].uid == 1001 && finished[0].number == 7));
}

TEST_CASE("refusals: with more uids than counters, lines are written and none is lost") {
  auto all = counters();
  constexpr unsigned kUids = 5000;
  std::uint64_t got = 0, suppressed = 0;
  for (uid_t uid = 0; uid < kUids; ++uid) got += lines(all, uid, 30, kNow);
  for (const auto& [uid, number] : all.take_finished(kNow + RefusalCounters::kWindow)) suppressed += number;
  CHECK(got + suppressed == kUids * 30);
  CHECK(suppressed > 0);
}

TEST_CASE("refusals: a flood that nobody takes from for long gets no more lines for that") {
  auto all = counters();
  constexpr unsigned kWindows = 300;
  unsigned got = 0, suppressed = 0;
  for (unsigned window = 0; window < kWindows; ++window)
    got += lines(all, 1001, 50, kNow + window * RefusalCounters::kWindow);
  CHECK(got <= kWindows * RefusalCounters::kLines);
  CHECK_MESSAGE(lines(all, 1002, 5, kNow + kWindows * RefusalCounters::kWindow) == 5, "others are not hit");
  for (const auto& [uid, number] : all.take_finished(kNow + (kWindows + 1) * RefusalCounters::kWindow))
    suppressed += number;
  CHECK(got + suppressed == kWindows * 50);
}

TEST_CASE("refusals: those of which the line could not be written are counted") {
  auto all = counters();
  for (unsigned i = 0; i < 2 * RefusalCounters::kLines; ++i) {
    CHECK(all.count(1001, kNow) == (i < RefusalCounters::kLines));
    if (i < 3) all.count_missing(1001, kNow);
  }
  all.count_missing(1002, kNow);  // before it was counted
  all.count_missing(1002, kNow);
  CHECK_MESSAGE(all.take_finished(kNow).empty(), "so that each window has one summary of them");
  CHECK_MESSAGE(lines(all, 1002, 3, kNow) == 3, "they suppress nothing");
  CHECK(all.take(1001) == RefusalCounters::kLines + 3);
  CHECK(all.take(1002) == 2);
  CHECK(all.take(1001) + all.take(1002) == 0);
}

TEST_CASE("refusals: neither does it get more where only its missing lines were counted before") {
  auto all = counters();
  for (unsigned window = 0; window < 8; ++window) all.count_missing(1001, kNow + window * RefusalCounters::kWindow);
  const auto later = kNow + 8 * RefusalCounters::kWindow;
  const unsigned got = lines(all, 1001, 50, later);
  CHECK(got <= RefusalCounters::kLines);
  unsigned suppressed = 0;
  for (const auto& [uid, number] : all.take_finished(later + 2 * RefusalCounters::kWindow)) suppressed += number;
  CHECK(got + suppressed == 8 + 50);
}

TEST_CASE("refusals: other lines are of the same rate, and are not counted beyond it") {
  auto all = counters();
  for (unsigned i = 0; i < 2 * RefusalCounters::kLines; ++i)
    CHECK(all.count_other(1001, kNow) == (i < RefusalCounters::kLines));
  CHECK(!all.count(1001, kNow));
  CHECK(all.take(1001) == 1);
}

TEST_CASE("changes: a burst of each uid is granted, and then so many a second") {
  using std::chrono::milliseconds;
  auto all = counters();
  const auto granted = [&](uid_t uid, RefusalCounters::Time now) {
    unsigned changes = 0;
    while (changes < 5000 && all.count_change(uid, now)) ++changes;
    return changes;
  };
  CHECK(granted(1001, kNow) == RefusalCounters::kChanges);
  CHECK(granted(1002, kNow) == RefusalCounters::kChanges);
  CHECK(granted(1001, kNow + milliseconds(49)) == 0);
  CHECK(granted(1001, kNow + milliseconds(1000)) == RefusalCounters::kChangesPerSecond);
  CHECK(granted(1001, kNow + std::chrono::minutes(2)) == RefusalCounters::kChanges);
  CHECK_MESSAGE(granted(1001, kNow - std::chrono::hours(1)) == RefusalCounters::kChanges, "the clock was set back");
  CHECK_MESSAGE(lines(all, 1001, 50, kNow) == RefusalCounters::kLines, "refusals are counted apart");
}

TEST_CASE("changes: with more uids than counters nobody is refused for it") {
  auto all = counters();
  for (uid_t uid = 1; uid <= 5000; ++uid) CHECK(all.count_change(uid, kNow));
}
