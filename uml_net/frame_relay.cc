#include "uml_net/frame_relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "libumlnet/core/checksum_offload.h"
#include "libumlnet/core/ethertap_frame.h"
#include "libumlnet/core/receive_coalescing.h"
#include "libumlnet/core/segmentation_offload.h"

namespace umlnet {
namespace {

constexpr std::size_t kBurst = 64;  // frames one way, before the other way gets its turn
constexpr std::size_t kHeader = VirtioNetHeader::kSize;
static_assert(kHeader >= ethertap::kPadding);
// A TAP gives 65,535 bytes of IP, with Ethernet header and VLAN tags.
constexpr std::size_t kLongestFromTap = 0xffff + kEthernetHeader + 2 * kVlanTag;

// Where frames lie. Nobody can get memory once the filter is in force, and the stack may be small.
struct Room {
  // Room for a byte more than there can be: a TAP cuts what is longer than the buffer, and says nothing.
  std::array<std::uint8_t, kHeader + kLongestFromTap + 1> from_tap;
  std::array<std::uint8_t, ethertap::kLongestDatagram> segment;
  // Of each frame from the guest, the virtio-net header comes to stand where the padding was read, and before.
  std::array<std::array<std::uint8_t, kHeader + ethertap::kLongestFrame>, kBurst> from_guest;
};
Room room;

void count(FrameCounters::Count& counter, std::uint64_t by = 1) { counter.fetch_add(by, std::memory_order_relaxed); }

bool is_try_again(int error) { return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM; }

bool fits(std::size_t frame, FrameCounters::Direction& direction) {
  const auto fit = ethertap::fit_of(frame);
  if (fit == ethertap::Fit::too_short) count(direction.too_short);
  if (fit == ethertap::Fit::too_long) count(direction.too_long);
  return fit == ethertap::Fit::fits;
}

class ToGuest {
 public:
  ToGuest(int tap, int data, FrameCounters::Direction& counters) : tap_(tap), data_(data), counters_(counters) {}

  // Whether a frame waits for room in the guest's socket.
  bool blocked() const { return !datagram_.empty(); }

  std::optional<RelayEnd> move() {
    for (std::size_t i = 0; i < kBurst || segmenter_; ++i) {
      if (datagram_.empty() && segmenter_) cut();
      if (datagram_.empty()) {
        const ssize_t size = ::read(tap_, room.from_tap.data(), room.from_tap.size());
        if (size < 0 && is_try_again(errno)) return std::nullopt;
        if (size <= 0) return RelayEnd::device_gone;
        take(static_cast<std::size_t>(size));
        if (datagram_.empty()) continue;
      }
      if (::send(data_, datagram_.data(), datagram_.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return is_try_again(errno) ? std::nullopt : std::optional(RelayEnd::guest_gone);
      count(counters_.frames);
      count(counters_.bytes, datagram_.size() - ethertap::kPadding);
      datagram_ = {};
    }
    return std::nullopt;
  }

 private:
  // What was read, header and frame, becomes a datagram, or the first of several.
  void take(std::size_t size) {
    if (size < kHeader) return count(counters_.too_short);
    const auto header = VirtioNetHeader::decode(std::span(room.from_tap).first(kHeader));
    const auto frame = std::span(room.from_tap).subspan(kHeader, size - kHeader);
    if (header->is_segmented()) {
      if (const auto segmenter = Segmenter::of(frame, *header))
        segmenter_.emplace(*segmenter);
      else
        count(counters_.too_long);  // a kind that cannot be cut
      return cut();
    }
    if (!fits(frame.size(), counters_)) return;
    if (!finish_checksum(frame, *header)) return count(counters_.too_short);  // it ends before its checksum
    datagram_ = std::span(room.from_tap).subspan(kHeader - ethertap::kPadding, ethertap::kPadding + frame.size());
    std::ranges::fill(datagram_.first(ethertap::kPadding), std::uint8_t{0});
  }

  void cut() {
    while (segmenter_ && datagram_.empty()) {
      const std::size_t size = segmenter_->next(std::span(room.segment).subspan(ethertap::kPadding));
      if (size != 0)
        datagram_ = std::span(room.segment).first(ethertap::kPadding + size);
      else if (!segmenter_->done())
        count(counters_.too_long);
      if (size == 0 || segmenter_->done()) segmenter_.reset();
    }
  }

  int tap_, data_;
  FrameCounters::Direction& counters_;
  std::optional<Segmenter> segmenter_;
  std::span<std::uint8_t> datagram_;  // to be sent next; empty: none
};

class ToHost {
 public:
  ToHost(int tap, int data, FrameCounters& counters)
      : tap_(tap), data_(data), counters_(counters.to_host), refused_(counters.refused_by_host) {}

  std::optional<RelayEnd> move() {
    std::optional<RelayEnd> end = fetch();
    for (std::size_t at = 0; at < frames_; at += joined_)
      if (const auto failed = write(at); failed && !end) end = failed;
    return end;
  }

 private:
  // As many frames as there are.
  std::optional<RelayEnd> fetch() {
    frames_ = 0;
    for (std::size_t i = 0; i < kBurst; ++i) {
      auto& slot = room.from_guest[frames_];
      const ssize_t size =
          ::recv(data_, &slot[kHeader - ethertap::kPadding], ethertap::kLongestDatagram, MSG_DONTWAIT | MSG_TRUNC);
      if (size < 0) return is_try_again(errno) ? std::nullopt : std::optional(RelayEnd::guest_gone);
      const auto datagram = static_cast<std::size_t>(size);  // its true size, be it longer than the buffer
      const std::size_t frame = datagram > ethertap::kPadding ? datagram - ethertap::kPadding : 0;
      if (fits(frame, counters_)) sizes_[frames_++] = frame;
    }
    return std::nullopt;
  }

  std::span<std::uint8_t> frame(std::size_t at) const {
    return std::span(room.from_guest[at]).subspan(kHeader, sizes_[at]);
  }

  // Writes the frame number `at`, with the segments behind it that can be joined to it: joined_ in all.
  std::optional<RelayEnd> write(std::size_t at) {
    VirtioNetHeader header;
    joined_ = 1;
    std::size_t bytes = sizes_[at];
    if (coalescer_.begin(frame(at), {})) {
      for (; at + joined_ < frames_ && coalescer_.add(frame(at + joined_), {}); ++joined_) {
        parts_[joined_] = {frame(at + joined_).data() + coalescer_.headers(),
                           sizes_[at + joined_] - coalescer_.headers()};
        bytes += sizes_[at + joined_];
      }
      if (joined_ > 1) header = coalescer_.finish();
    }
    header.encode(std::span(room.from_guest[at]).first(kHeader));
    parts_[0] = {room.from_guest[at].data(), kHeader + sizes_[at]};
    if (::writev(tap_, parts_.data(), static_cast<int>(joined_)) < 0) {
      if (errno == EBADFD) return RelayEnd::device_gone;
      count(refused_, joined_);
    } else {
      count(counters_.frames, joined_);
      count(counters_.bytes, bytes);
    }
    return std::nullopt;
  }

  int tap_, data_;
  FrameCounters::Direction& counters_;
  FrameCounters::Count& refused_;
  Coalescer coalescer_{{}};
  std::array<std::size_t, kBurst> sizes_{};
  std::array<iovec, kBurst> parts_{};
  std::size_t frames_ = 0, joined_ = 1;
};

}  // namespace
RelayEnd relay_frames(int tap, int data, int controller, FrameCounters& counters) {
  ToGuest to_guest(tap, data, counters.to_guest);
  ToHost to_host(tap, data, counters);
  for (;;) {
    const auto when_blocked = [&](short events) { return to_guest.blocked() ? events : short{0}; };
    const auto when_free = [&](short events) { return to_guest.blocked() ? short{0} : events; };
    pollfd fds[] = {
        {.fd = controller, .events = POLLIN, .revents = 0},
        {.fd = data, .events = static_cast<short>(POLLIN | POLLRDHUP | when_blocked(POLLOUT)), .revents = 0},
        {.fd = tap, .events = when_free(POLLIN), .revents = 0}};
    if (::poll(fds, std::size(fds), -1) < 0) {
      if (errno == EINTR) continue;
      return RelayEnd::failed;
    }
    if (fds[0].revents != 0) return RelayEnd::controller_gone;
    if ((fds[1].revents & (POLLHUP | POLLRDHUP | POLLNVAL)) != 0) return RelayEnd::guest_gone;
    if ((fds[2].revents & (POLLERR | POLLNVAL)) != 0) return RelayEnd::device_gone;
    if (fds[1].revents != 0)
      if (const auto end = to_host.move()) return *end;
    if (fds[2].revents != 0 || (fds[1].revents & POLLOUT) != 0)
      if (const auto end = to_guest.move()) return *end;
  }
}

}  // namespace umlnet
