#include "libumlnet/client/qemu_stream.h"

#include <algorithm>
#include <cstring>

#include "libumlnet/core/network_order.h"

namespace umlnet {

std::array<std::uint8_t, kQemuStreamHeader> qemu_stream_header(std::size_t size) {
  std::array<std::uint8_t, kQemuStreamHeader> header;
  put_be32(header, 0, static_cast<std::uint32_t>(size));
  return header;
}

QemuStreamDecoder::QemuStreamDecoder(std::span<std::uint8_t> buffer)
    : buffer_(buffer),
      longest_(buffer.size() > kQemuStreamHeader ? std::min(buffer.size() - kQemuStreamHeader, kQemuLongestFrame) : 0) {
  broken_ = longest_ == 0;
}

std::span<std::uint8_t> QemuStreamDecoder::room() {
  if (broken_) return {};
  const std::size_t held = end_ - begin_;
  if (held == 0) begin_ = end_ = 0;
  // Room for half a buffer is room enough, if only the frame under way can be completed.
  const std::size_t whole = kQemuStreamHeader + (held >= kQemuStreamHeader ? get_be32(buffer_, begin_) : 0);
  if (begin_ != 0 && (buffer_.size() - end_ < buffer_.size() / 2 || buffer_.size() - begin_ < whole)) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, held);
    begin_ = 0;
    end_ = held;
  }
  return buffer_.subspan(end_);
}

void QemuStreamDecoder::took(std::size_t size) { end_ += std::min(size, buffer_.size() - end_); }

std::optional<std::span<const std::uint8_t>> QemuStreamDecoder::take() {
  const std::size_t held = end_ - begin_;
  if (broken_ || held < kQemuStreamHeader) return std::nullopt;
  const std::size_t size = get_be32(buffer_, begin_);
  if (size == 0 || size > longest_) {
    broken_ = true;
    return std::nullopt;
  }
  if (held - kQemuStreamHeader < size) return std::nullopt;
  const auto frame = buffer_.subspan(begin_ + kQemuStreamHeader, size);
  begin_ += kQemuStreamHeader + size;
  return frame;
}

}  // namespace umlnet
