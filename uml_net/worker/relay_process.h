// The process that moves an ethertap session's frames: no capability, no file, no way to get either.
#pragma once

#include <sys/types.h>

#include <memory>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/worker/frame_relay.h"

namespace umlnet {

class RelayProcess {
 public:
  // Makes the process, which gives up every capability, becomes a relay and waits for begin(). To be called before this
  // process's own filter forbids making processes. `tun` (on /dev/net/tun, not tied to a device yet: what it is tied to
  // later, the relay's copy is too) and `data` are borrowed; `tun` becomes O_NONBLOCK.
  static Result<RelayProcess> start(int tun, int data);

  RelayProcess(RelayProcess&&) = default;
  RelayProcess& operator=(RelayProcess&&) = delete;
  // Ends the process, if end() was not called.
  ~RelayProcess();

  pid_t pid() const { return pid_.value; }
  // Readable when the relay has ended.
  int channel() const { return channel_.get(); }
  const FrameCounters& counters() const { return *counters_; }

  // The device is there: frames flow from here on. Code::kernel where the relay is dead.
  Result<void> begin();

  // Ends the process, waits for it, and says how it ended if it did so by itself before.
  enum class End { by_guest, by_device, ended_here, died };
  End end();

 private:
  // A pid that moves like a unique_fd.
  struct Pid {
    explicit Pid(pid_t pid) : value(pid) {}
    Pid(Pid&& other) noexcept : value(std::exchange(other.value, -1)) {}
    pid_t value;
  };
  struct Unmap {
    void operator()(FrameCounters* counters) const;
  };
  using SharedCounters = std::unique_ptr<FrameCounters, Unmap>;

  RelayProcess(Pid pid, unique_fd channel, SharedCounters counters)
      : pid_(std::move(pid)), channel_(std::move(channel)), counters_(std::move(counters)) {}

  Pid pid_;
  unique_fd channel_;
  SharedCounters counters_;
};

}  // namespace umlnet
