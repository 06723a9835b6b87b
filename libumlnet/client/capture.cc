#include "libumlnet/client/capture.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>

#include "libumlnet/client/pcapng_writer.h"
#include "libumlnet/client/quiet_write.h"

namespace umlnet::client {
namespace {

constexpr std::size_t kLastBlock = 128;  // bytes that are kept for put_statistics()
constexpr int kLastChance = 500;         // milliseconds
constexpr std::uint32_t kEnhancedPacket = 6;

std::uint64_t nanoseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint32_t word_at(const std::uint8_t* at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

short wait_for_room(int fd, int milliseconds) {
  pollfd poll{.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&poll, 1, milliseconds) > 0 ? poll.revents : short{0};
}

}  // namespace

Capture::Capture(const PumpConfig& config, PumpCounters& counters)
    : fd_(config.capture_fd),
      kind_(config.capture_kind),
      snaplen_(config.capture_snaplen),
      name_(config.a.called()),
      description_("umlnet pump between " + name_ + " and " + std::string(config.b.called())),
      counters_(counters),
      buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kSize)) {}

void Capture::begin(bool signals_are_ignored) {
  signals_are_ignored_ = signals_are_ignored;
  if (started_ != 0) return;
  started_ = nanoseconds(CLOCK_REALTIME);
  append(pcapng::put_section(room(), "umlnet " UMLNET_LIBRARY_VERSION));
  append(pcapng::put_interface(room(), {.name = name_, .description = description_, .snap_length = snaplen_}));
  flush();
}

// Whether there are `size` bytes of room behind what is held. It is moved to the front at most once in half a buffer.
bool Capture::make_room(std::size_t size) {
  if (kSize - end_ >= size) return true;
  if (begin_ < kSize / 2) return false;
  // A block that is half written stays whole in memory.
  std::memmove(buffer_.get(), &buffer_[block_], end_ - block_);
  begin_ -= block_;
  end_ -= block_;
  block_ = 0;
  return kSize - end_ >= size;
}

void Capture::record(const FrameBatch& frames, CaptureWay which, std::uint64_t dropped) {
  Way& way = ways_[static_cast<std::size_t>(which)];
  const std::uint64_t now = nanoseconds(CLOCK_REALTIME);
  received_ += frames.count;
  for (const Frame& frame : std::span(frames.frames).first(frames.count)) {
    const std::size_t kept = snaplen_ == 0 ? frame.size : std::min<std::size_t>(frame.size, snaplen_);
    if (dead_ || !make_room(pcapng::packet_block_size(kept) + kLastBlock)) {
      ++way.lost;
      counters_.not_captured.add();
      continue;
    }
    const std::uint64_t missing = way.lost + dropped - way.dropped;
    append(pcapng::put_packet(
        room(),
        {.interface = 0,
         .time = now,
         .direction = which == CaptureWay::from_a ? pcapng::Direction::inbound : pcapng::Direction::outbound,
         .dropped = missing,
         .frame = frame.bytes()},
        snaplen_));
    way = {.dropped = dropped, .lost = 0};
  }
}

// `asked` is set to how much was tried. EAGAIN where it would have to wait.
ssize_t Capture::write_some(std::size_t& asked) {
  asked = held();
  const std::uint8_t* bytes = &buffer_[begin_];
  if (kind_ == CaptureKind::socket) return ::send(fd_, bytes, asked, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (kind_ == CaptureKind::pipe) {
    // The pipe may be one that blocks, and its flags belong to others as well. So much always fits when poll() says
    // that something does.
    asked = std::min<std::size_t>(asked, PIPE_BUF);
    const short events = wait_for_room(fd_, 0);
    if ((events & (POLLERR | POLLNVAL)) != 0 || (events & POLLOUT) == 0) {
      errno = events == 0 ? EAGAIN : EPIPE;
      return -1;
    }
  }
  return signals_are_ignored_ ? ::write(fd_, bytes, asked) : quiet_write(fd_, bytes, asked);
}

void Capture::flush() {
  waits_ = false;
  while (held() != 0 && !dead_) {
    std::size_t asked = 0;
    const ssize_t written = write_some(asked);
    if (written >= 0) {
      wrote(static_cast<std::size_t>(written));
      // A file that takes less than it was given is at a limit; what it has to say comes with the next flush.
      if (static_cast<std::size_t>(written) < asked && kind_ == CaptureKind::file) return;
      continue;
    }
    if (errno == EINTR) continue;
    if (kind_ == CaptureKind::file) return;  // no room, for now
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
      waits_ = true;
    else
      give_up();
    return;
  }
}

void Capture::wrote(std::size_t size) {
  begin_ += size;
  while (block_ < begin_) {
    const std::size_t end = block_ + word_at(&buffer_[block_ + 4]);
    if (end > begin_) return;
    if (word_at(&buffer_[block_]) == kEnhancedPacket) counters_.captured.add();
    block_ = end;
  }
  if (begin_ == end_) begin_ = end_ = block_ = 0;
}

void Capture::give_up() {
  dead_ = true;
  waits_ = false;
  forget_unwritten();
  begin_ = end_ = block_ = 0;
}

// Whole blocks that nothing was written of; one that is half written is to be completed, should there be a next time.
void Capture::forget_unwritten() {
  std::size_t kept = block_;
  for (std::size_t at = block_; at < end_;) {
    const std::size_t size = word_at(&buffer_[at + 4]);
    const bool is_begun = at < begin_;
    if (is_begun) kept = at + size;
    if (word_at(&buffer_[at]) == kEnhancedPacket && (!is_begun || dead_)) counters_.not_captured.add();
    at += size;
  }
  end_ = kept;
  begin_ = std::min(begin_, end_);
}

void Capture::finish() {
  if (!dead_) {
    append(pcapng::put_statistics(room(), {.interface = 0,
                                           .start = started_,
                                           .end = nanoseconds(CLOCK_REALTIME),
                                           .received = received_,
                                           .dropped = counters_.not_captured.get()}));
  }
  const std::uint64_t deadline = nanoseconds(CLOCK_MONOTONIC) + std::uint64_t{kLastChance} * 1'000'000;
  for (;;) {
    flush();
    const std::uint64_t now = nanoseconds(CLOCK_MONOTONIC);
    if (!waits_ || now >= deadline) break;
    wait_for_room(fd_, static_cast<int>((deadline - now) / 1'000'000) + 1);
  }
  waits_ = false;
  forget_unwritten();
}

}  // namespace umlnet::client
