#include "libumlnet/client/pump.h"

#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>

#include "libumlnet/client/callback_end.h"
#include "libumlnet/client/datagram_end.h"
#include "libumlnet/client/stream_end.h"
#include "libumlnet/client/tap_end.h"

namespace umlnet::client {
namespace {

constexpr int kTick = 1;  // milliseconds between questions to an end that poll() knows nothing about
// How often the rest is fetched of what an end has sent that takes nothing any more. A closed one has no more than its
// socket holds.
constexpr int kLastMoves = 64;

std::unique_ptr<FrameEnd> make_end(const EndConfig& end, const umlnet_end* callbacks) {
  switch (end.framing) {
    case UMLNET_TAP: return std::make_unique<TapEnd>(end.fd, end.vnet_hdr);
    case UMLNET_ETHERTAP: return DatagramEnd::ethertap(end.fd);
    case UMLNET_STREAM: return std::make_unique<StreamEnd>(end.fd, end.vnet_hdr);
    case UMLNET_DGRAM: return DatagramEnd::plain(end.fd, end.vnet_hdr);
    default: return std::make_unique<CallbackEnd>(*callbacks);
  }
}

// A frame that comes within this time of the one before is waited for awake. Where one waits for the answer to another,
// a thread with one direction sees only every second of them.
constexpr std::chrono::microseconds kSoon{50}, kSoonOneWay{100};

constexpr short kHangUp = POLLHUP | POLLERR;

bool has_processors() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 1;
}

}  // namespace

Pump::Pump(const PumpConfig& config, const Callbacks& callbacks, PumpCounters& counters, int stop)
    : config_(config),
      stop_(stop),
      a_(make_end(config.a, callbacks.a)),
      b_(make_end(config.b, callbacks.b)),
      capture_(config.capture_fd >= 0 ? std::make_unique<Capture>(config, counters) : nullptr),
      a_to_b_(*a_, *b_, config.b.offloads, counters.a_to_b, capture_.get(), CaptureWay::from_a),
      b_to_a_(*b_, *a_, config.a.offloads, counters.b_to_a, capture_.get(), CaptureWay::from_b),
      has_processors_(has_processors()),
      both_{.a_to_b = &a_to_b_, .b_to_a = &b_to_a_, .polling = AdaptivePolling(has_processors_, kSoon)} {}

SandboxFds Pump::fds(const Owner& owner) const {
  return {.a = config_.a,
          .b = config_.b,
          .stop = stop_,
          .capture = config_.capture_fd,
          .capture_kind = config_.capture_kind,
          .channel = owner.channel,
          .owner = owner.pidfd};
}

// What to ask poll() about an end: `from` is the direction that reads it, `to` the one that writes to it.
short Pump::wanted(const FrameEnd& end, const PumpDirection* from, const PumpDirection* to) {
  short events = 0;
  if (from != nullptr && !from->waits()) events = end.readable_events();
  if (to != nullptr && to->waits() && !end.is_timed()) events = static_cast<short>(events | POLLOUT);
  return events;
}

int Pump::longest_wait(const Work& work) const {
  const auto holds = [](const PumpDirection* direction) { return direction != nullptr && direction->holds(); };
  if (holds(work.a_to_b) || holds(work.b_to_a)) return 0;
  const auto needs_asking = [](const FrameEnd& end, const PumpDirection* from, const PumpDirection* to) {
    if (!end.is_timed()) return false;
    return (end.fd() < 0 && from != nullptr && !from->waits()) || (to != nullptr && to->waits());
  };
  return needs_asking(*a_, work.a_to_b, work.b_to_a) || needs_asking(*b_, work.b_to_a, work.a_to_b) ? kTick : -1;
}

// Whether the direction that another thread has is behind.
bool Pump::is_other_behind(const Work& work) const {
  return (work.a_to_b == nullptr && a_to_b_.is_behind()) || (work.b_to_a == nullptr && b_to_a_.is_behind());
}

bool Pump::is_due(const PumpDirection* direction, const FrameEnd& from, const FrameEnd& to, short from_events,
                  short to_events) {
  if (direction == nullptr) return false;
  if (direction->waits()) return to_events != 0 || to.is_timed();
  return direction->holds() || from_events != 0 || from.fd() < 0;
}

std::optional<PumpOutcome> Pump::move(const Work& work, PumpDirection& direction, bool from_b) {
  const auto [state, reading] = direction.move();
  const bool is_b = reading == from_b;
  switch (state.flow) {
    case EndState::more:
    case EndState::wait: return std::nullopt;
    case EndState::gone: {
      // What it has sent before still goes where it was to go.
      PumpDirection* rest = is_b ? work.b_to_a : work.a_to_b;
      for (int i = 0; i < kLastMoves && rest != nullptr && !reading && !rest->waits(); ++i)
        if (rest->move().state.flow != EndState::more) break;
      return gone(is_b);
    }
    case EndState::broken: break;
  }
  return PumpOutcome{.how = PumpOutcome::broke,
                     .doing = reading ? PumpOutcome::reading : PumpOutcome::writing,
                     .is_b = is_b,
                     .code = static_cast<std::uint32_t>(state.code),
                     .errnum = state.errnum};
}

PumpOutcome Pump::gone(bool is_b) { return {.how = is_b ? PumpOutcome::b_gone : PumpOutcome::a_gone}; }

std::optional<PumpOutcome> Pump::round(Work& work, const Owner& owner) {
  std::array<pollfd, SandboxFds::kMost> polls;
  std::size_t count = 0;
  const auto ask = [&](int fd, short events) { polls[count++] = {.fd = fd, .events = events, .revents = 0}; };
  const auto ask_end = [&](const FrameEnd& end, bool& hung_up, const PumpDirection* from, const PumpDirection* to) {
    hung_up = hung_up && from != nullptr && from->waits();
    const short events = wanted(end, from, to);
    // Hung up, it would say so again and again; to be written to by one of two threads, it is the other one's to watch.
    const bool is_mute = events == 0 && (hung_up || (from == nullptr));
    ask(is_mute ? -1 : end.fd(), events);
  };
  ask(stop_, POLLIN);
  ask_end(*a_, work.a_hung_up, work.a_to_b, work.b_to_a);
  ask_end(*b_, work.b_hung_up, work.b_to_a, work.a_to_b);
  if (capture_) ask(capture_->fd(), POLLOUT);
  const std::size_t owners = count;
  if (owner.channel >= 0) ask(owner.channel, POLLIN);
  if (owner.pidfd >= 0) ask(owner.pidfd, POLLIN);

  const auto poll = [&](int timeout) { return ::poll(polls.data(), count, timeout); };
  const int longest = longest_wait(work);
  // Asking again takes a processor from those who send to a direction that is behind, and receive from it.
  const auto wait = [&] { return is_other_behind(work) ? work.polling.sleep(poll) : work.polling.wait(poll); };
  if ((longest < 0 ? wait() : poll(longest)) < 0) {
    if (errno == EINTR) return std::nullopt;
    return PumpOutcome{
        .how = PumpOutcome::broke, .doing = PumpOutcome::waiting, .code = UMLNET_SYSTEM, .errnum = errno};
  }
  if (polls[0].revents != 0) {
    std::uint64_t orders = 0;
    if (&work == &both_) (void)!::read(stop_, &orders, sizeof orders);
    return PumpOutcome{.how = PumpOutcome::stopped};
  }
  for (std::size_t i = owners; i < count; ++i)
    if (polls[i].revents != 0) return PumpOutcome{.how = PumpOutcome::owner_gone};

  const short a = polls[1].revents, b = polls[2].revents;
  if (((a | b) & POLLNVAL) != 0)
    return PumpOutcome{.how = PumpOutcome::broke,
                       .doing = PumpOutcome::reading,
                       .is_b = (b & POLLNVAL) != 0,
                       .code = UMLNET_SYSTEM,
                       .errnum = EBADF};
  if ((a & a_->gone_events()) != 0) return gone(false);
  if ((b & b_->gone_events()) != 0) return gone(true);
  work.a_hung_up = work.a_hung_up || (a & kHangUp) != 0;
  work.b_hung_up = work.b_hung_up || (b & kHangUp) != 0;

  // Due or not is seen before anything moves: one direction does not make work for the other.
  const bool a_to_b = is_due(work.a_to_b, *a_, *b_, a, b), b_to_a = is_due(work.b_to_a, *b_, *a_, b, a);
  std::optional<PumpOutcome> end;
  if (a_to_b) end = move(work, *work.a_to_b, false);
  if (b_to_a && !end) end = move(work, *work.b_to_a, true);
  if (capture_) capture_->flush();
  return end;
}

PumpOutcome Pump::run(const Owner& owner) {
  if (capture_) capture_->begin(in_sandbox_);
  std::optional<PumpOutcome> end;
  while (!end) end = round(both_, owner);
  if (capture_) capture_->finish();
  return *end;
}

bool Pump::can_be_split() const {
  const auto is_plain_tap = [](const EndConfig& end) { return end.framing == UMLNET_TAP && end.vnet_hdr == 0; };
  return has_processors_ && !capture_ && is_plain_tap(config_.a) && is_plain_tap(config_.b);
}

PumpOutcome Pump::run_one_way(bool from_b, const Owner& owner) {
  Work work{.a_to_b = from_b ? nullptr : &a_to_b_,
            .b_to_a = from_b ? &b_to_a_ : nullptr,
            .polling = AdaptivePolling(has_processors_, kSoonOneWay)};
  std::optional<PumpOutcome> end;
  while (!end) end = round(work, owner);
  return *end;
}

}  // namespace umlnet::client
