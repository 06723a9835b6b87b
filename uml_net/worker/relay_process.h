// The process that moves an ethertap session's frames: no capability, no file, no way to get either.
#pragma once

#include <memory>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/worker/frame_relay.h"

namespace umlnet {

class RelayProcess {
 public:
  // Makes the process, which gives up every capability, becomes a relay and waits for begin(). To be called before this
  // process's own filter forbids making processes. `tun` (on /dev/net/tun, not tied to a device yet: what it is tied to
  // later, the relay's copy is too) and `data` are borrowed; `tun` becomes O_NONBLOCK. Code::kernel where there is no
  // process to be had.
  static Result<RelayProcess> start(int tun, int data);

  RelayProcess(RelayProcess&&) = default;
  RelayProcess& operator=(RelayProcess&&) = delete;
  // Ends the process, if end() was not called.
  ~RelayProcess();

  // Readable when the relay has ended.
  int channel() const { return channel_.get(); }
  const FrameCounters& counters() const { return *counters_; }

  // The device is there: frames flow from here on. Code::kernel where the relay is dead.
  Result<void> begin();

  // Ends the process, waits for it, and says how it ended if it did so by itself before.
  enum class End { by_guest, by_device, ended_here, died };
  End end();

 private:
  struct Unmap {
    void operator()(FrameCounters* counters) const;
  };
  using SharedCounters = std::unique_ptr<FrameCounters, Unmap>;

  RelayProcess(unique_fd pidfd, unique_fd channel, SharedCounters counters)
      : pidfd_(std::move(pidfd)), channel_(std::move(channel)), counters_(std::move(counters)) {}

  unique_fd pidfd_;  // none once end() was called
  unique_fd channel_;
  SharedCounters counters_;
};

}  // namespace umlnet
