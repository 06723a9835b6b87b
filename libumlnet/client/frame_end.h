// One end of a pump: gives frames in one form, whatever its own framing is, and takes them in that form.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "libumlnet/client/frame.h"
#include "libumlnet/client/pump_counters.h"

namespace umlnet::client {

// What there is to say after reading from an end, or writing to it.
struct EndState {
  enum Flow : std::uint8_t {
    more,    // there may be more to read; all was written
    wait,    // nothing more to read now; no room for the rest now
    gone,    // the other side, or the device, is no more
    broken,  // `code` and `errnum` say how
  } flow = more;
  umlnet_code code = UMLNET_OK;
  int errnum = 0;

  static EndState failed_with(int errnum) { return {.flow = broken, .code = UMLNET_SYSTEM, .errnum = errnum}; }
};

class FrameEnd {
 public:
  // `vnet_hdr` is umlnet_end.vnet_hdr, or 0 where the framing has no such header.
  FrameEnd(int fd, unsigned vnet_hdr) : fd_(fd), vnet_hdr_(vnet_hdr) {}
  FrameEnd(const FrameEnd&) = delete;
  FrameEnd& operator=(const FrameEnd&) = delete;
  virtual ~FrameEnd() = default;

  // For poll(): borrowed, or -1.
  int fd() const { return fd_; }
  std::size_t vnet_hdr() const { return vnet_hdr_; }

  // Bytes that this end puts before a frame, in place; at most kLongestPrefix.
  virtual std::size_t prefix() const = 0;
  // Bytes of the longest frame that can be written here.
  virtual std::size_t longest() const = 0;
  // How many frames it pays to read, or to write, with one call.
  virtual std::size_t at_once() const = 0;

  // Fills `batch`, which is empty, with up to `most` frames, without waiting. With frames, the state is `more` or
  // `wait`. Where there is a choice, `gap` bytes are left before each. What is no frame is counted and passed over.
  virtual EndState read(FrameBatch& batch, std::size_t most, std::size_t gap, DirectionCounters& counters) = 0;

  // Whether each frame is read by a call of its own.
  virtual bool reads_singly() const { return false; }

  // Whether frames that are joined can be written here (Frame::joined).
  virtual bool takes_joined() const { return false; }

  // Writes `frames`, none longer than longest(), without waiting, and sets `taken` to how many of them are done with:
  // written or, where this end wants none of them, dropped; counts both, joined frames as one that is written, and each
  // of them that is dropped. What is left is to be given again, from the
  // first one on, before any other frame: it may be half written.
  virtual EndState write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) = 0;

  // What poll() says where the other side is gone, and where reading would not tell.
  virtual short gone_events() const = 0;
  // What to ask poll() for while there is something to be read, and while there is no room.
  virtual short readable_events() const { return POLLIN; }
  // Whether poll() cannot say when there is room.
  virtual bool is_timed() const { return false; }

 protected:
  // The virtio-net header at `begin`, or the one that asks for nothing where this end has none.
  VirtioNetHeader get_vnet_hdr(const std::uint8_t* begin) const {
    VirtioNetHeader header = VirtioNetHeader::decode({begin, vnet_hdr_}).value_or(VirtioNetHeader{});
    header.num_buffers = 1;  // whatever it was: here the frame is in one piece
    return header;
  }
  // Writes the virtio-net header that belongs before `frame`, and returns where it begins.
  std::uint8_t* put_vnet_hdr(const Frame& frame) const {
    std::uint8_t* begin = frame.data - vnet_hdr_;
    if (vnet_hdr_ != 0) frame.offload.encode({begin, vnet_hdr_});
    return begin;
  }
  static void count_written(const Frame& frame, DirectionCounters& counters) {
    counters.frames.add();
    counters.bytes.add(frame.size);
  }

 private:
  int fd_;
  std::size_t vnet_hdr_;
};

}  // namespace umlnet::client
