// Room for frames that come one at a time, placed one behind the other with a gap before each. Where the gap is just
// what a stream puts before a frame, a whole batch goes out in one piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "libumlnet/client/frame.h"

namespace umlnet::client {

class FrameArena {
 public:
  // `size`: bytes for frames and gaps.
  explicit FrameArena(std::size_t size)
      : size_(kLongestPrefix + size), memory_(std::make_unique_for_overwrite<std::uint8_t[]>(size_)) {}

  void clear() { end_ = kLongestPrefix; }

  // Where the next frame, of at most `longest` bytes, is to be put; empty where there is no room for that. `gap` is at
  // most kLongestPrefix.
  std::span<std::uint8_t> place(std::size_t gap, std::size_t longest) {
    if (size_ - end_ < gap + longest) return {};
    return {&memory_[end_ + gap], longest};
  }

  // It was put there, and is `size` bytes long.
  Frame took(std::size_t gap, std::size_t size) {
    const Frame frame{.data = &memory_[end_ + gap], .size = size, .room = gap};
    end_ += gap + size;
    return frame;
  }

 private:
  std::size_t size_;
  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t end_ = kLongestPrefix;
};

}  // namespace umlnet::client
