// Captures: whatever goes in, what comes out is well-formed pcapng (draft-ietf-opsawg-pcapng), read here by a reader of
// its own, and holds the frames as they were.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "libumlnet/client/pcapng_writer.h"
#include "require.h"
#include "tests/unit/frames.h"

using namespace umlnet;

namespace {

constexpr std::uint8_t kUntouched = 0xa5;
constexpr std::size_t kRoom = 8192;

std::uint32_t u32(std::span<const std::uint8_t> bytes, std::size_t at) {
  std::uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}
std::uint16_t u16(std::span<const std::uint8_t> bytes, std::size_t at) {
  std::uint16_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Options from `at` to the block's last word: padded, each within, the list ended by 0.
void require_options(std::span<const std::uint8_t> block, std::size_t at) {
  const std::size_t end = block.size() - 4;
  if (at == end) return;
  for (;;) {
    REQUIRE_THAT(at + 4 <= end);
    const std::size_t code = u16(block, at), size = u16(block, at + 2);
    at += 4;
    if (code == 0) {
      REQUIRE_THAT(size == 0 && at == end);
      return;
    }
    REQUIRE_THAT(size > 0 && at + size <= end);
    for (std::size_t i = size; i % 4 != 0; ++i) REQUIRE_THAT(block[at + i] == 0);
    at += (size + 3) / 4 * 4;
  }
}

struct Expected {
  std::uint32_t type;
  std::size_t fixed;  // bytes before the options, or before a packet's data
  Bytes frame = {};
  std::size_t kept = 0;
};

void require_block(std::span<const std::uint8_t> block, const Expected& expected) {
  REQUIRE_THAT(block.size() >= 12 && block.size() % 4 == 0);
  REQUIRE_THAT(u32(block, 0) == expected.type);
  REQUIRE_THAT(u32(block, 4) == block.size() && u32(block, block.size() - 4) == block.size());
  std::size_t options = 8 + expected.fixed;
  if (expected.type == 6) {
    REQUIRE_THAT(u32(block, 20) == expected.kept && u32(block, 24) == expected.frame.size());
    REQUIRE_THAT(expected.kept <= expected.frame.size());
    REQUIRE_THAT(std::ranges::equal(block.subspan(28, expected.kept), std::span(expected.frame).first(expected.kept)));
    REQUIRE_THAT(block.size() <= pcapng::packet_block_size(expected.kept));
    options += (expected.kept + 3) / 4 * 4;
  }
  require_options(block, options);
}

// Puts one block into the room it needs, and finds that with a byte less nothing is touched.
template <class Put>
void put_and_require(Put put, const Expected& expected) {
  Bytes out(kRoom, kUntouched);
  const std::size_t size = put(std::span(out));
  REQUIRE_THAT(size > 0 && size <= out.size());
  require_block(std::span(out).first(size), expected);
  REQUIRE_THAT(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(size), out.end(),
                           [](std::uint8_t byte) { return byte == kUntouched; }));
  Bytes exact(size), small(size - 1, kUntouched);
  REQUIRE_THAT(put(std::span(exact)) == size);
  REQUIRE_THAT(std::equal(exact.begin(), exact.end(), out.begin()));
  REQUIRE_THAT(put(std::span(small)) == 0);
  REQUIRE_THAT(std::ranges::all_of(small, [](std::uint8_t byte) { return byte == kUntouched; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider input(data, size);
  const auto application = input.ConsumeRandomLengthString(600);
  put_and_require([&](auto out) { return pcapng::put_section(out, application); }, {0x0a0d0d0a, 16});
  const auto name = input.ConsumeRandomLengthString(600), description = input.ConsumeRandomLengthString(600);
  const auto snap_length = input.ConsumeIntegralInRange<std::uint32_t>(0, 2000);
  const pcapng::Interface interface{.name = name, .description = description, .snap_length = snap_length};
  put_and_require([&](auto out) { return pcapng::put_interface(out, interface); }, {1, 8});
  while (input.remaining_bytes() > 0) {
    const auto text = input.ConsumeRandomLengthString(4000);
    const Bytes frame(text.begin(), text.end());
    const pcapng::Packet packet{.interface = input.ConsumeIntegral<std::uint32_t>(),
                                .time = input.ConsumeIntegral<std::uint64_t>(),
                                .direction = static_cast<pcapng::Direction>(input.ConsumeIntegralInRange(0, 2)),
                                .dropped = input.ConsumeIntegral<std::uint64_t>(),
                                .frame = frame};
    const std::size_t kept = snap_length == 0 ? frame.size() : std::min<std::size_t>(frame.size(), snap_length);
    put_and_require([&](auto out) { return pcapng::put_packet(out, packet, snap_length); }, {6, 20, frame, kept});
  }
  const pcapng::Statistics statistics{.interface = static_cast<std::uint32_t>(size),
                                      .start = size,
                                      .end = ~size,
                                      .received = size,
                                      .dropped = size / 2};
  put_and_require([&](auto out) { return pcapng::put_statistics(out, statistics); }, {5, 12});
  return 0;
}
