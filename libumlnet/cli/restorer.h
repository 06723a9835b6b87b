// Has uml_net restore what the network takes from guests while a command runs: `uml_net gc`, a moment after a change.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "libumlnet/core/network_monitor.h"

namespace umlnet::cli {

class Restorer {
 public:
  // `helper` is its path; empty: where it was installed, else in PATH.
  explicit Restorer(std::string helper);
  ~Restorer();
  Restorer(const Restorer&) = delete;
  Restorer& operator=(const Restorer&) = delete;

  // For poll(): a descriptor (-1: none) and how long to wait, in milliseconds, -1 for ever.
  int fd() const { return monitor_ ? monitor_->fd() : -1; }
  int patience() const;
  // After poll(), with what it returned. What uml_net says is not shown: the audit log has it.
  void look(int ready);

 private:
  void reap(bool wait);

  std::string helper_;
  std::optional<NetworkMonitor> monitor_;
  pid_t running_ = -1;
  bool is_wanted_ = false;  // the network changed after the one that runs looked at it
};

}  // namespace umlnet::cli
