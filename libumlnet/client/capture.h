// The record of a pump's frames, as pcapng, into a file, a pipe or a socket. Whoever reads it, and the disk, may be as
// slow as they like: what does not fit into the buffer is counted, and the pump goes on.
//
// There is one interface: the pump's end a. What came out of it is inbound, what goes to it is outbound. Each record
// says how many frames of its direction are missing before it, because they were dropped or not recorded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "libumlnet/client/frame.h"
#include "libumlnet/client/pump_config.h"
#include "libumlnet/client/pump_counters.h"

namespace umlnet::client {

enum class CaptureWay : std::uint8_t { from_a, from_b };

class Capture {
 public:
  // `config` has a capture; its fd is borrowed, and its flags stay as they are.
  Capture(const PumpConfig& config, PumpCounters& counters);

  // What the file begins with, once. `signals_are_ignored`: SIGPIPE and SIGXFSZ are, so that nothing has to be done
  // about them.
  void begin(bool signals_are_ignored);

  // Puts the frames of one direction into the buffer, as of now. `dropped`: frames of that direction that were dropped
  // since the pump was made. Makes no system call where the clock needs none.
  void record(const FrameBatch& frames, CaptureWay way, std::uint64_t dropped);

  // Writes what can be written without waiting. Whole blocks or not, the rest follows the next time.
  void flush();

  // For poll(): what flush() waits for; -1 where it waits for nothing.
  int fd() const { return waits_ ? fd_ : -1; }

  // The last block, and a last chance for a slow reader, of half a second. What is left then is not captured.
  void finish();

 private:
  struct Way {
    std::uint64_t dropped = 0;  // as of the last record
    std::uint64_t lost = 0;     // frames not recorded since
  };
  std::size_t held() const { return end_ - begin_; }
  bool make_room(std::size_t size);
  void append(std::size_t size) { end_ += size; }
  std::span<std::uint8_t> room() { return {&buffer_[end_], kSize - end_}; }
  ssize_t write_some(std::size_t& asked);
  void wrote(std::size_t size);
  void give_up();
  void forget_unwritten();

  static constexpr std::size_t kSize = std::size_t{1} << 20;

  int fd_;
  CaptureKind kind_;
  std::uint32_t snaplen_;
  std::string name_, description_;
  PumpCounters& counters_;
  Way ways_[2];
  std::uint64_t received_ = 0;  // frames that came by
  std::uint64_t started_ = 0;   // nanoseconds since 1970; 0: not yet
  bool signals_are_ignored_ = false;
  bool waits_ = false;
  bool dead_ = false;  // nobody reads it any more
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // of what is still to be written
  std::size_t block_ = 0;            // the first block that is not written whole
};

}  // namespace umlnet::client
