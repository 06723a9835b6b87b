// The framing of QEMU's `-netdev stream` and of `-netdev socket` over a stream: before each frame its length in bytes,
// 32 bits in network order (net/stream.c and net_fill_rstate() in net/net.c of QEMU). No virtio-net header goes along.
//
// A length of 0 or above the maximum ends the stream, for nothing in it says where the next frame begins. QEMU holds
// the same maximum; of 0 it makes an empty frame, which nobody needs and no QEMU sends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "libumlnet/client/qemu_frame.h"

namespace umlnet {

inline constexpr std::size_t kQemuStreamHeader = 4;  // bytes

// What goes before a frame of `size` bytes, 1 to kQemuLongestFrame.
std::array<std::uint8_t, kQemuStreamHeader> qemu_stream_header(std::size_t size);

// Finds the frames in a stream that comes split and joined as it likes. One read may bring many; they are taken where
// they lie. Bytes are moved only when those behind the last whole frame need the room before them, so that there is
// never more than one part of a frame to move.
//
//   while (const auto size = read into decoder.room()) {
//     decoder.took(size);
//     while (const auto frame = decoder.take()) ...
//     if (decoder.broken()) ...
//   }
class QemuStreamDecoder {
 public:
  // `buffer` is borrowed. A frame may be as long as fits into it behind its header, and not longer than
  // kQemuLongestFrame. Twice as much, or more, makes for large reads.
  explicit QemuStreamDecoder(std::span<std::uint8_t> buffer);

  // Where the next bytes go: not empty once take() has found nothing more, but in a broken stream. Frames taken before
  // are no longer there.
  std::span<std::uint8_t> room();
  void took(std::size_t size);

  // The next whole frame, until room() is called: 1 byte or more. Whether it is one that can be sent on is not judged.
  std::optional<std::span<const std::uint8_t>> take();

  // Whether a length was impossible. Nothing more comes out.
  bool broken() const { return broken_; }
  // Whether the stream, should it end here, ends within a frame.
  bool within_frame() const { return begin_ != end_; }

 private:
  std::span<std::uint8_t> buffer_;
  std::size_t longest_;
  std::size_t begin_ = 0, end_ = 0;  // of what has been read and not been taken
  bool broken_ = false;
};

}  // namespace umlnet
