// Moves Ethernet frames between two ends, both ways, until it is told to stop or an end is gone.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "libumlnet/client/adaptive_polling.h"
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

  // What shows that whoever owns the pump, in another process, is gone, or has become another program: a socket to it,
  // and its pidfd. A socket alone would not do: every child of it has a copy. -1: there is no such process.
  struct Owner {
    int channel = -1, pidfd = -1;
  };

  // All that a process needs open which pumps and does nothing else.
  SandboxFds fds(const Owner& owner) const;
  // The process is in the sandbox, and SIGPIPE and SIGXFSZ are ignored for good.
  void is_in_sandbox() { in_sandbox_ = true; }

  // Pumps in this thread. What has been read and not written by the end is kept for the next time.
  PumpOutcome run(const Owner& owner);

  // Whether the two directions have nothing in common that changes, and each is worth a processor of its own: then two
  // threads may pump, each one of them. So it is between two TAPs whose frames are small; with virtio-net headers one
  // thread moves as much as two, and nothing is left to their processors.
  bool can_be_split() const;
  // Pumps one direction in this thread, while another one does the other. The stop stays as it is, for both to see.
  PumpOutcome run_one_way(bool from_b, const Owner& owner);

 private:
  // What one thread does.
  struct Work {
    PumpDirection* a_to_b;  // null: this one is another thread's
    PumpDirection* b_to_a;
    AdaptivePolling polling;
    // The end hung up while what it has sent before is still to be read.
    bool a_hung_up = false, b_hung_up = false;
  };
  static short wanted(const FrameEnd& end, const PumpDirection* from, const PumpDirection* to);
  int longest_wait(const Work& work) const;
  bool is_other_behind(const Work& work) const;
  static bool is_due(const PumpDirection* direction, const FrameEnd& from, const FrameEnd& to, short from_events,
                     short to_events);
  static std::optional<PumpOutcome> move(const Work& work, PumpDirection& direction, bool from_b);
  static PumpOutcome gone(bool is_b);
  std::optional<PumpOutcome> round(Work& work, const Owner& owner);

  PumpConfig config_;
  int stop_;
  std::unique_ptr<FrameEnd> a_, b_;
  std::unique_ptr<Capture> capture_;
  PumpDirection a_to_b_, b_to_a_;
  bool has_processors_;  // more than one to run on
  Work both_;
  bool in_sandbox_ = false;
};

}  // namespace umlnet::client
