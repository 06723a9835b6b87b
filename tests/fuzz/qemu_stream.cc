// QEMU's stream framing and the ethertap datagrams. The first two bytes choose how the stream is split and how large
// the decoder's buffer is; a plain reading of the whole is what the decoder is held against.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "libumlnet/client/qemu_stream.h"
#include "libumlnet/core/ethertap_frame.h"
#include "libumlnet/core/network_order.h"
#include "require.h"

using namespace umlnet;

namespace {

using Bytes = std::vector<std::uint8_t>;

struct Reading {
  std::vector<Bytes> frames;
  bool broken = false;
  bool operator==(const Reading&) const = default;
};

Reading read_plainly(std::span<const std::uint8_t> stream, std::size_t longest) {
  Reading reading;
  while (stream.size() >= kQemuStreamHeader) {
    const std::size_t size = get_be32(stream, 0);
    reading.broken = size == 0 || size > longest;
    if (reading.broken || stream.size() - kQemuStreamHeader < size) break;
    const auto frame = stream.subspan(kQemuStreamHeader, size);
    REQUIRE_THAT(std::ranges::equal(qemu_stream_header(size), stream.first(kQemuStreamHeader)));
    reading.frames.emplace_back(frame.begin(), frame.end());
    stream = stream.subspan(kQemuStreamHeader + size);
  }
  return reading;
}

Reading read_in_steps(std::span<const std::uint8_t> stream, Bytes buffer, std::size_t step) {
  Reading reading;
  QemuStreamDecoder decoder(buffer);
  while (!stream.empty()) {
    const auto room = decoder.room();
    if (decoder.broken()) {
      REQUIRE_THAT(room.empty());
      break;
    }
    REQUIRE_THAT(!room.empty());
    REQUIRE_THAT(room.data() >= buffer.data() && room.data() + room.size() <= buffer.data() + buffer.size());
    const std::size_t taken = std::min({room.size(), stream.size(), step});
    std::ranges::copy(stream.first(taken), room.begin());
    decoder.took(taken);
    stream = stream.subspan(taken);
    while (const auto frame = decoder.take()) reading.frames.emplace_back(frame->begin(), frame->end());
  }
  reading.broken = decoder.broken();
  return reading;
}

void require_ethertap_frame(std::span<const std::uint8_t> datagram) {
  const auto frame = ethertap::frame_of(datagram);
  const bool fits =
      datagram.size() >= ethertap::kPadding + ethertap::kShortestFrame && datagram.size() <= ethertap::kLongestDatagram;
  REQUIRE_THAT(frame.has_value() == fits);
  if (frame) REQUIRE_THAT(std::ranges::equal(*frame, datagram.subspan(ethertap::kPadding)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = 1 + data[0];
  const std::size_t room = data[1];  // 0 to 4: no frame fits
  const std::span<const std::uint8_t> stream(data + 2, size - 2);
  require_ethertap_frame(stream);
  const std::size_t longest = room > kQemuStreamHeader ? room - kQemuStreamHeader : 0;
  if (longest == 0) {
    REQUIRE_THAT(read_in_steps(stream, Bytes(room), step).frames.empty());
    return 0;
  }
  const auto plainly = read_plainly(stream, longest);
  REQUIRE_THAT(read_in_steps(stream, Bytes(room), step) == plainly);
  return 0;
}
