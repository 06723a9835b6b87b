// A pump of the library's, in the sandboxed process that it has for it, or in a thread of this one.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "libumlnet/cli/pump_options.h"
#include "libumlnet/cli/totals.h"
#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {

class PumpProcess {
 public:
  // Moves frames from here on. The names of the ends are copied; their descriptors are the pump's until it has ended.
  static Outcome<PumpProcess> start(umlnet_end a, const std::string& a_name, umlnet_end b, const std::string& b_name,
                                    const PumpOptions& options);
  PumpProcess(PumpProcess&&) = default;
  ~PumpProcess();

  // For poll(): readable once it has ended.
  int fd() const;
  umlnet_counters counters() const;
  // Stops it where it still runs; what it has done. The same again when asked again.
  const Totals& stop();
  // Where it failed, how; the status that says so.
  int exit_status() const { return exit_status_; }

 private:
  struct FreePump {
    void operator()(umlnet_pump* pump) const { umlnet_pump_free(pump); }
  };
  // Of --no-sandbox. On the heap, because the thread works on it.
  struct InThread {
    std::thread thread;
    unique_fd ended, ended_end;
    umlnet_code code = UMLNET_OK;
    umlnet_pump_end end = UMLNET_PUMP_STOPPED;
    umlnet_error error = {};
  };

  PumpProcess() = default;

  // The names that the library has pointers to.
  std::unique_ptr<Totals> totals_ = std::make_unique<Totals>();
  std::unique_ptr<umlnet_pump, FreePump> pump_;
  std::unique_ptr<InThread> thread_;
  std::chrono::steady_clock::time_point started_;
  bool over_ = false;
  int exit_status_ = 0;
};

}  // namespace umlnet::cli
