#include "libumlnet/client/pump_threads.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <thread>

namespace umlnet::client {
namespace {

// How often one thread that has ended looks whether the other one has, too: what ends one of them, ends both, and the
// frames that the other has just read still go out.
constexpr int kPatience = 100;

[[noreturn]] void leave() {
  for (;;) ::syscall(SYS_exit_group, 0);
}

}  // namespace

PumpThreads::PumpThreads(Pump& pump, const Pump::Owner& owner, PumpOutcome& outcome)
    : pump_(pump), owner_(owner), outcome_(outcome) {}

void PumpThreads::rest() const {
  std::array<pollfd, SandboxFds::kMost> none;
  std::ranges::fill(none, pollfd{.fd = -1, .events = 0, .revents = 0});
  ::poll(none.data(), pump_.fds(owner_).count(), 1);
}

void PumpThreads::start() {
  if (!pump_.can_be_split()) return;
  try {
    std::thread([this] {
      is_up_ = true;
      while (!may_run_) rest();
      run_one_way(true);
    }).detach();
  } catch (const std::system_error&) {  // the user has as many as are allowed
    return;
  }
  is_split_ = true;
  while (!is_up_) rest();  // its first system calls are not the pump's
}

void PumpThreads::run() {
  if (is_split_) {
    may_run_ = true;
    run_one_way(false);
  }
  outcome_ = pump_.run(owner_);
  leave();
}

void PumpThreads::run_one_way(bool from_b) {
  const PumpOutcome outcome = pump_.run_one_way(from_b, owner_);
  if (!has_outcome_.exchange(true)) outcome_ = outcome;
  running_.fetch_sub(1);
  for (int i = 0; i < kPatience && running_ != 0; ++i) rest();
  leave();
}

}  // namespace umlnet::client
