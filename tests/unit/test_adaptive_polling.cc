#include "libumlnet/client/adaptive_polling.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

using namespace std::chrono_literals;

namespace {

struct Clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static inline time_point time{};
  static time_point now() { return time; }
};

using Polling = umlnet::AdaptivePollingBy<Clock>;

// How often a wait for something that comes `after` asked, and how often it slept.
struct Waited {
  int asked = 0, slept = 0;
};
Waited wait(Polling& polling, std::chrono::microseconds after, bool only_sleeps = false) {
  Waited waited;
  const auto comes = Clock::now() + after;
  const auto poll = [&](int timeout) {
    REQUIRE((timeout == 0 || timeout == -1));
    if (timeout == 0) {
      ++waited.asked;
      Clock::time += 1us;
    } else {
      ++waited.slept;
      Clock::time = std::max(Clock::time, comes);
    }
    return Clock::now() >= comes ? 3 : 0;
  };
  CHECK((only_sleeps ? polling.sleep(poll) : polling.wait(poll)) == 3);
  return waited;
}

}  // namespace

TEST_CASE("adaptive polling: it asks again only after a short wait") {
  Polling polling(true, 50us);
  CHECK(wait(polling, 1s).asked == 0);
  CHECK(wait(polling, 20us).slept == 1);
  for (int i = 0; i < 3; ++i) {
    const Waited waited = wait(polling, 20us);
    CHECK(waited.asked == 20);
    CHECK(waited.slept == 0);
  }
  // What comes late is slept for, after a bounded time; and what comes after that.
  const Waited late = wait(polling, 1s);
  CHECK(late.slept == 1);
  CHECK(late.asked <= 51);
  for (int i = 0; i < 3; ++i) CHECK(wait(polling, 1s).asked == 0);
}

TEST_CASE("adaptive polling: where it shall only sleep, it does, and sees whether asking again would have paid") {
  Polling polling(true, 50us);
  for (int i = 0; i < 3; ++i) {
    const Waited waited = wait(polling, 20us, true);
    CHECK(waited.asked == 0);
    CHECK(waited.slept == 1);
  }
  CHECK(wait(polling, 20us).slept == 0);
  CHECK(wait(polling, 1s, true).asked == 0);
  CHECK(wait(polling, 20us).asked == 0);
}

TEST_CASE("adaptive polling: without another processor it sleeps") {
  Polling polling(false, 50us);
  for (int i = 0; i < 3; ++i) CHECK(wait(polling, 20us).asked == 0);
}

TEST_CASE("adaptive polling: what poll() fails with comes through") {
  Polling polling(true, 50us);
  CHECK(wait(polling, 20us).slept == 1);
  CHECK(polling.wait([](int /*timeout*/) { return -1; }) == -1);
}
