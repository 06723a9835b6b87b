// Which processes have TUN and TAP devices open, as /proc shows it: of one's own processes, or for root, of all.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace umlnet::cli {

struct TapHolder {
  std::string device;
  pid_t pid = 0;
  uid_t uid = 0;
  std::string command;  // what the process calls itself: any bytes
  // It runs in another network namespace. The kernel tells the name of the device and not where that is, so this may be
  // another device of the same name.
  bool elsewhere = false;
};

// In order of device and pid. Several descriptors of one process for one device count once.
std::vector<TapHolder> find_tap_holders();

}  // namespace umlnet::cli
