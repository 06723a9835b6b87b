// One run of uml_net, from its start to its end, and what it says on the way.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libumlnet/client/deadline.h"
#include "libumlnet/client/watched_process.h"

namespace umlnet::client {

class HelperRun {
 public:
  // `words` stand behind the program's name. `out` (borrowed) becomes its fd 1, `data`, where not negative, its fd 3.
  static Outcome<HelperRun> start(const std::string& path, std::vector<std::string> words, int out, int data = -1);

  enum class Event { readable, ended, deadline };
  // Waits until `fd` (borrowed; negative: none) has something to read or is at its end, the helper has ended, or the
  // deadline has passed. What `fd` has comes before the helper's end.
  Event wait(int fd, const Deadline& deadline);
  bool has_ended() const { return process_.has_ended(); }
  // For poll(): readable once it has ended. Belongs to this object.
  int end_fd() const { return process_.end_fd(); }

  // Reads exactly `size` bytes from `fd`, which is non-blocking. UMLNET_CLOSED where it ends before; UMLNET_TIMEOUT.
  Outcome<void> read(int fd, void* bytes, std::size_t size, const Deadline& deadline);

  // Whether it has ended with status 0. Waits for its end; UMLNET_TIMEOUT at the deadline, after killing it.
  Outcome<bool> succeeded(const Deadline& deadline);

  // A failure of this run: `doing` and why not, with the helper's words, which are `reply` or what it wrote to stderr.
  Failure failure(umlnet_code code, const std::string& doing, const std::string& reply = {});
  // It hung: it is killed, and this is what there is to say.
  Failure hung(const std::string& doing);

  void kill() { process_.kill(); }

 private:
  HelperRun(std::string path, WatchedProcess process, unique_fd complaints)
      : path_(std::move(path)), process_(std::move(process)), complaints_(std::move(complaints)) {}
  void take_complaints();

  std::string path_;
  WatchedProcess process_;
  unique_fd complaints_;  // its stderr
  std::string complaint_;
};

}  // namespace umlnet::client
