#include "libumlnet/core/ethertap_frame.h"

namespace umlnet::ethertap {

Fit fit_of(std::size_t size) {
  if (size < kShortestFrame) return Fit::too_short;
  return size > kLongestFrame ? Fit::too_long : Fit::fits;
}

std::optional<std::span<const std::uint8_t>> frame_of(std::span<const std::uint8_t> datagram) {
  if (datagram.size() < kPadding || fit_of(datagram.size() - kPadding) != Fit::fits) return std::nullopt;
  return datagram.subspan(kPadding);
}

}  // namespace umlnet::ethertap
