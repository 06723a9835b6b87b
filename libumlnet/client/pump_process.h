// A pump in a process of its own: a fresh program, inside the sandbox.
#pragma once

#include <optional>
#include <string>

#include "libumlnet/client/deadline.h"
#include "libumlnet/client/failure.h"
#include "libumlnet/client/pump_memory.h"
#include "libumlnet/client/watched_process.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::client {

class PumpProcess {
 public:
  // Starts `program` (a path) on copies of the fds of `config`, which has been checked, and of `stop`, an eventfd;
  // returns once it moves frames, after at most ten seconds. `memory` is written to, and stays with this object.
  // UMLNET_NO_HELPER: it cannot be started. UMLNET_SANDBOX. UMLNET_TIMEOUT. UMLNET_SYSTEM.
  static Outcome<PumpProcess> start(const std::string& program, const PumpConfig& config,
                                    const SharedPumpMemory& memory, int stop);

  // Readable once it has ended. Belongs to this object.
  int end_fd() const { return process_.end_fd(); }
  // How it ended; nothing where it has not by then. The same answer again after that.
  std::optional<Outcome<umlnet_pump_end>> wait(const Deadline& deadline);
  void kill() { process_.kill(); }

 private:
  PumpProcess(WatchedProcess process, unique_fd channel, const PumpConfig& config, const PumpMemory& memory)
      : process_(std::move(process)), channel_(std::move(channel)), config_(config), memory_(&memory) {}
  Outcome<umlnet_pump_end> end_of(std::optional<int> status) const;

  WatchedProcess process_;
  unique_fd channel_;  // its other end closes with this one: then the process ends
  PumpConfig config_;
  const PumpMemory* memory_;
};

// The program that is started: all of its main(). Does not return. `in_the_sandbox`, for tests, is called before the
// first frame.
[[noreturn]] void be_the_pump_process(void (*in_the_sandbox)() = nullptr);

}  // namespace umlnet::client
