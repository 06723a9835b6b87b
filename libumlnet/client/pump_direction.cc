#include "libumlnet/client/pump_direction.h"

#include <algorithm>
#include <utility>

#include "libumlnet/client/checksum_offload.h"

namespace umlnet::client {
namespace {

// A whole frame of segmentation offload, cut, at the usual segment size; at least the longest frame.
constexpr std::size_t kArena = std::size_t{128} * 1024;

// UMLNET_OFFLOAD_* that a reader must know to be given this frame; ~0 where no reader can.
unsigned needed_by(const VirtioNetHeader& header) {
  unsigned needed = header.needs_checksum() ? unsigned{UMLNET_OFFLOAD_CSUM} : 0U;
  if ((header.gso_type & VirtioNetHeader::kGsoEcn) != 0) needed |= UMLNET_OFFLOAD_ECN;
  switch (header.gso_type & ~VirtioNetHeader::kGsoEcn) {
    case VirtioNetHeader::kGsoNone: return needed;
    case VirtioNetHeader::kGsoTcp4: return needed | UMLNET_OFFLOAD_TSO4;
    case VirtioNetHeader::kGsoTcp6: return needed | UMLNET_OFFLOAD_TSO6;
    case VirtioNetHeader::kGsoUdpL4: return needed | UMLNET_OFFLOAD_USO;
    default: return ~0U;
  }
}

}  // namespace

PumpDirection::PumpDirection(FrameEnd& from, FrameEnd& to, unsigned offloads, DirectionCounters& counters,
                             Capture* capture, CaptureWay way)
    : from_(from),
      to_(to),
      offloads_(to.vnet_hdr() != 0 ? offloads : 0),
      counters_(counters),
      capture_(capture),
      way_(way),
      arena_(kArena) {
  const auto takes = [&](unsigned offload) {
    return (offloads_ & (UMLNET_OFFLOAD_CSUM | offload)) == (UMLNET_OFFLOAD_CSUM | offload);
  };
  if (to.takes_joined() && (takes(UMLNET_OFFLOAD_TSO4) || takes(UMLNET_OFFLOAD_TSO6)))
    coalescer_.emplace(Coalescer::Versions{.ipv4 = takes(UMLNET_OFFLOAD_TSO4), .ipv6 = takes(UMLNET_OFFLOAD_TSO6)});
}

// Whether a frame goes on, finished in place where that is enough, or has to be cut.
PumpDirection::Fate PumpDirection::prepare(Frame& frame) {
  const auto dropped = [](Counter& counter) {
    counter.add();
    return Fate::drop;
  };
  if (frame.offload != VirtioNetHeader{}) {
    if (!frame.offload.check(frame.size)) return dropped(counters_.malformed);
    const unsigned needed = needed_by(frame.offload);
    if ((needed & ~offloads_) != 0) {
      if (frame.offload.is_segmented()) return Fate::cut;
      if (!finish_checksum(frame.bytes(), frame.offload)) return dropped(counters_.malformed);
      counters_.checksums.add();
      frame.offload = {};
    }
  }
  if (frame.size > to_.longest()) return dropped(counters_.too_long);
  return Fate::pass;
}

EndState PumpDirection::read(bool is_first) {
  batch_.clear();
  next_ = 0;
  const std::size_t most = is_first && from_.reads_singly() ? 1
                           : coalescer_                     ? kBurst
                                                            : std::max(from_.at_once(), to_.at_once());
  const EndState state = from_.read(batch_, most, to_.prefix(), counters_);
  more_ = state.flow == EndState::more;
  if (batch_.count == 0) return state;
  if (capture_ != nullptr) capture_->record(batch_, way_, counters_.dropped());
  judge_batch();
  return {};
}

void PumpDirection::judge_batch() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < batch_.count; ++i) {
    const Fate fate = prepare(batch_.frames[i]);
    if (fate == Fate::drop) continue;
    batch_.frames[kept] = batch_.frames[i];
    to_be_cut_[kept++] = fate == Fate::cut;
  }
  batch_.count = kept;
  if (coalescer_) join();
}

// Segments that follow each other in the batch. Frames never wait for others, nor change places.
void PumpDirection::join() {
  Coalescer& coalescer = *coalescer_;
  for (std::size_t at = 0, next = 0; at < batch_.count; at = next) {
    Frame& first = batch_.frames[at];
    next = at + 1;
    if (to_be_cut_[at] || !coalescer.begin(first.bytes(), first.offload)) continue;
    while (next < batch_.count && !to_be_cut_[next] &&
           coalescer.add(batch_.frames[next].bytes(), batch_.frames[next].offload))
      ++next;
    if (next - at == 1) continue;
    first.offload = coalescer.finish();
    first.joined = static_cast<std::uint16_t>(next - at - 1);
    first.headers = static_cast<std::uint16_t>(coalescer.headers());
  }
}

// The next segments of the frame that is being cut; on to the next frame where there are none.
void PumpDirection::cut() {
  segments_.clear();
  next_segment_ = 0;
  const Frame& frame = batch_.frames[next_];
  if (!segmenter_) {
    if (auto segmenter = Segmenter::of(frame.bytes(), frame.offload)) {
      segmenter_.emplace(*segmenter);
      counters_.segmented.add();
    } else {
      counters_.malformed.add();
    }
  }
  arena_.clear();
  while (segmenter_ && !segmenter_->done() && segments_.count < kBurst) {
    const auto room = arena_.place(to_.prefix(), segmenter_->longest());
    const std::size_t size = room.empty() ? 0 : segmenter_->next(room);
    if (size == 0) break;
    const Frame segment = arena_.took(to_.prefix(), size);
    if (size > to_.longest())
      counters_.too_long.add();
    else
      segments_.add(segment);
  }
  if (!segmenter_ || (segmenter_->done() && segments_.count == 0)) {
    segmenter_.reset();
    ++next_;
  }
}

EndState PumpDirection::write(FrameBatch& frames, std::size_t& next, std::size_t end, std::size_t& moved) {
  std::size_t taken = 0;
  const EndState state = to_.write(std::span(frames.frames).subspan(next, end - next), taken, counters_);
  next += taken;
  moved += taken;
  waits_ = state.flow == EndState::wait;
  if (waits_) counters_.waits.add();
  return state;
}

PumpDirection::Step PumpDirection::move() {
  const Step step = move_burst();
  if (const bool is_behind = holds(); is_behind != is_behind_.load(std::memory_order_relaxed))
    is_behind_.store(is_behind, std::memory_order_relaxed);
  return step;
}

PumpDirection::Step PumpDirection::move_burst() {
  bool has_read = false;
  for (std::size_t moved = 0; moved < kBurst;) {
    EndState state;
    bool reading = false;
    if (next_segment_ < segments_.count) {
      state = write(segments_, next_segment_, std::min(segments_.count, next_segment_ + kBurst - moved), moved);
    } else if (segmenter_ || (next_ < batch_.count && to_be_cut_[next_])) {
      cut();
    } else if (next_ < batch_.count) {
      std::size_t end = next_;
      while (end < batch_.count && !to_be_cut_[end] && end - next_ < kBurst - moved)
        end += std::size_t{1} + batch_.frames[end].joined;
      state = write(batch_, next_, end, moved);
    } else if (has_read && !more_) {
      state.flow = EndState::wait;
    } else {
      state = read(!has_read && !more_);
      has_read = reading = true;
      if (batch_.count == 0 && state.flow == EndState::more) ++moved;  // all that was read was dropped
    }
    if (state.flow != EndState::more) return {state, reading};
  }
  return {};
}

}  // namespace umlnet::client
