// Moves Ethernet frames between two ends, both ways, until it is told to stop or an end is gone.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "libumlnet/client/capture.h"
#include "libumlnet/client/frame_end.h"
#include "libumlnet/client/pump_config.h"
#include "libumlnet/client/pump_direction.h"
#include "libumlnet/client/pump_memory.h"
#include "libumlnet/client/sandbox.h"

namespace umlnet::client {

class Pump {
 public:
  // What is needed beside numbers: the functions of ends with UMLNET_CALLBACK, else null.
  struct Callbacks {
    const umlnet_end* a = nullptr;
    const umlnet_end* b = nullptr;
  };

  // `config` has been checked, and its TAPs are O_NONBLOCK. `stop` is an eventfd, O_NONBLOCK: whatever is written to it
  // ends run(), be it before. All fds are borrowed; `counters` stay where they are. Allocates all that run() needs.
  Pump(const PumpConfig& config, const Callbacks& callbacks, PumpCounters& counters, int stop);

  // All that a process needs open which pumps and does nothing else. `channel` as for run().
  SandboxFds fds(int channel) const;
  // The process is in the sandbox, and SIGPIPE and SIGXFSZ are ignored for good.
  void is_in_sandbox() { in_sandbox_ = true; }

  // Pumps in this thread. `channel` is -1, or an fd that becomes readable, or hangs up, when the owner is gone. What
  // has been read and not written by the end is kept for the next time.
  PumpOutcome run(int channel = -1);

 private:
  static short wanted(const FrameEnd& end, const PumpDirection& from, const PumpDirection& to);
  int longest_wait() const;
  static bool is_due(const PumpDirection& direction, const FrameEnd& from, const FrameEnd& to, short from_events,
                     short to_events);
  std::optional<PumpOutcome> move(PumpDirection& direction, bool from_b);
  static PumpOutcome gone(bool is_b);
  std::optional<PumpOutcome> round(int channel);

  PumpConfig config_;
  int stop_;
  std::unique_ptr<FrameEnd> a_, b_;
  std::unique_ptr<Capture> capture_;
  PumpDirection a_to_b_, b_to_a_;
  bool in_sandbox_ = false;
  // The end hung up while what it has sent before is still to be read.
  bool a_hung_up_ = false, b_hung_up_ = false;
};

}  // namespace umlnet::client
