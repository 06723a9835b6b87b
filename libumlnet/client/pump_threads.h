// The threads of a pump process: one, or one for each direction.
#pragma once

#include <atomic>

#include "libumlnet/client/pump.h"
#include "libumlnet/client/pump_memory.h"

namespace umlnet::client {

class PumpThreads {
 public:
  // `pump` is in the sandbox when run() is called. How it ends goes to `outcome`.
  PumpThreads(Pump& pump, const Pump::Owner& owner, PumpOutcome& outcome);

  // Makes the second thread, where there is to be one; it does nothing until run(). Where it cannot be made, one thread
  // does all. It outlives nothing that it uses: the process ends in run().
  void start();

  // Pumps, and ends the process: with exit status 0, and the outcome written.
  [[noreturn]] void run();

 private:
  [[noreturn]] void run_one_way(bool from_b);
  // Waits a millisecond, by the one system call for that which the sandbox lets through.
  void rest() const;

  Pump& pump_;
  Pump::Owner owner_;
  PumpOutcome& outcome_;
  bool is_split_ = false;
  std::atomic<bool> is_up_ = false, may_run_ = false, has_outcome_ = false;
  std::atomic<int> running_ = 2;
};

}  // namespace umlnet::client
