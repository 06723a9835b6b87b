// One way through a pump: frames from one end to the other, finished in software where the far end cannot take them as
// they are, joined where it can take more at once, held back while it has no room.
#pragma once

#include <atomic>
#include <optional>

#include "libumlnet/client/capture.h"
#include "libumlnet/client/frame_arena.h"
#include "libumlnet/client/frame_end.h"
#include "libumlnet/client/receive_coalescing.h"
#include "libumlnet/client/segmentation_offload.h"

namespace umlnet::client {

class PumpDirection {
 public:
  // All are borrowed. `offloads`: UMLNET_OFFLOAD_*, what may be written to `to` unfinished; it counts only where `to`
  // has a virtio-net header. `capture` may be null.
  PumpDirection(FrameEnd& from, FrameEnd& to, unsigned offloads, DirectionCounters& counters, Capture* capture,
                CaptureWay way);

  struct Step {
    EndState state = {};   // `wait`: nothing more to be done until poll() says so
    bool reading = false;  // whether it is about `from`, else about `to`
  };
  // Moves up to kBurst frames, without waiting for anything. Allocates nothing.
  Step move();

  // Whether `to` has no room: then `from` is left alone until it has.
  bool waits() const { return waits_; }
  // Whether move() has something to do now, whatever poll() says.
  bool holds() const { return !waits_ && (more_ || has_frames()); }
  // Whether the last move() left something to do; for any thread.
  bool is_behind() const { return is_behind_.load(std::memory_order_relaxed); }

 private:
  enum class Fate : std::uint8_t { pass, cut, drop };

  bool has_frames() const { return next_ < batch_.count || next_segment_ < segments_.count || segmenter_; }
  Step move_burst();
  Fate prepare(Frame& frame);
  // `is_first`: after a wait, so that there may be just one frame, and that is not kept waiting for a look behind it.
  EndState read(bool is_first);
  void judge_batch();
  void join();
  void cut();
  EndState write(FrameBatch& frames, std::size_t& next, std::size_t end, std::size_t& moved);

  FrameEnd& from_;
  FrameEnd& to_;
  unsigned offloads_;
  DirectionCounters& counters_;
  Capture* capture_;
  CaptureWay way_;

  bool more_ = false;  // the last read may have left something behind
  bool waits_ = false;
  FrameBatch batch_;  // what was read; from next_ on it is still to be written
  std::size_t next_ = 0;
  std::array<bool, kBurst> to_be_cut_{};
  std::optional<Coalescer> coalescer_;  // where `to` takes joined frames
  std::optional<Segmenter> segmenter_;  // of batch_[next_], where that has to be cut
  FrameBatch segments_;
  std::size_t next_segment_ = 0;
  FrameArena arena_;  // of segments_
  // In a line of the cache of its own: another thread looks at it.
  alignas(kCacheLine) std::atomic<bool> is_behind_ = false;
};

}  // namespace umlnet::client
