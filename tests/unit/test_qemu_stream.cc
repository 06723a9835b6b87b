#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "libumlnet/client/qemu_stream.h"

using namespace umlnet;
using Bytes = std::vector<std::uint8_t>;

namespace {

void append(Bytes& stream, const Bytes& frame) {
  const auto header = qemu_stream_header(frame.size());
  stream.insert(stream.end(), header.begin(), header.end());
  stream.insert(stream.end(), frame.begin(), frame.end());
}

Bytes frame_of(std::size_t size, unsigned seed) {
  Bytes frame(size);
  for (std::size_t i = 0; i < size; ++i) frame[i] = static_cast<std::uint8_t>(seed + i * 7);
  return frame;
}

// Feeds `stream` in reads of at most `piece` bytes, and gathers the frames.
std::vector<Bytes> decode(QemuStreamDecoder& decoder, const Bytes& stream, std::size_t piece) {
  std::vector<Bytes> frames;
  for (std::size_t at = 0; at < stream.size() && !decoder.broken();) {
    const auto room = decoder.room();
    REQUIRE(!room.empty());
    const std::size_t size = std::min({piece, room.size(), stream.size() - at});
    std::memcpy(room.data(), stream.data() + at, size);
    decoder.took(size);
    at += size;
    while (const auto frame = decoder.take()) frames.emplace_back(frame->begin(), frame->end());
  }
  return frames;
}

}  // namespace

TEST_CASE("qemu stream: the length goes before the frame, in network order") {
  CHECK(qemu_stream_header(60) == std::array<std::uint8_t, 4>{0, 0, 0, 60});
  CHECK(qemu_stream_header(1514) == std::array<std::uint8_t, 4>{0, 0, 5, 0xea});
  CHECK(qemu_stream_header(kQemuLongestFrame) == std::array<std::uint8_t, 4>{0, 1, 0x10, 0});
}

TEST_CASE("qemu stream: frames come out whole, however the stream is cut") {
  const std::vector<Bytes> frames{frame_of(60, 1), frame_of(1, 2), frame_of(1514, 3), frame_of(96, 4), frame_of(96, 5)};
  Bytes stream;
  for (const auto& frame : frames) append(stream, frame);
  for (const std::size_t buffer_size : {std::size_t{4 + 1514}, std::size_t{1700}, std::size_t{8192}}) {
    Bytes buffer(buffer_size);
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
      QemuStreamDecoder decoder(buffer);
      CHECK(decode(decoder, stream, piece) == frames);
      CHECK_FALSE(decoder.broken());
      CHECK_FALSE(decoder.within_frame());
    }
  }
}

TEST_CASE("qemu stream: the longest frame passes, one byte more ends the stream") {
  Bytes buffer(4 + kQemuLongestFrame + 100), stream;
  append(stream, frame_of(kQemuLongestFrame, 1));
  append(stream, frame_of(60, 2));
  append(stream, frame_of(kQemuLongestFrame + 1, 3));
  append(stream, frame_of(60, 4));
  QemuStreamDecoder decoder(buffer);
  const auto frames = decode(decoder, stream, stream.size());
  REQUIRE(frames.size() == 2);
  CHECK(frames[0] == frame_of(kQemuLongestFrame, 1));
  CHECK(frames[1] == frame_of(60, 2));
  CHECK(decoder.broken());
  CHECK(decoder.room().empty());
  CHECK_FALSE(decoder.take());
}

TEST_CASE("qemu stream: a length of 0, or one that the buffer cannot hold, ends the stream") {
  Bytes buffer(4 + 100);
  for (const std::size_t length : {std::size_t{0}, std::size_t{101}, std::size_t{0xffffffff}}) {
    Bytes stream;
    append(stream, frame_of(100, 1));
    const auto header = qemu_stream_header(length);
    stream.insert(stream.end(), header.begin(), header.end());
    QemuStreamDecoder decoder(buffer);
    CHECK(decode(decoder, stream, 3).size() == 1);
    CHECK(decoder.broken());
  }
  CHECK(QemuStreamDecoder(std::span(buffer).first(4)).broken());
}

TEST_CASE("qemu stream: many frames of one read are taken where they lie") {
  Bytes buffer(2 * (4 + kQemuLongestFrame)), stream;
  for (unsigned i = 0; i < 40; ++i) append(stream, frame_of(100, i));
  QemuStreamDecoder decoder(buffer);
  std::memcpy(decoder.room().data(), stream.data(), stream.size() - 50);
  decoder.took(stream.size() - 50);
  for (unsigned i = 0; i < 39; ++i) CHECK(decoder.take()->data() == buffer.data() + i * 104 + 4);
  CHECK_FALSE(decoder.take());
  CHECK(decoder.within_frame());
  // The last frame still has its room, so its beginning stays where it is.
  CHECK(decoder.room().data() == buffer.data() + stream.size() - 50);
}

TEST_CASE("qemu stream: any bytes end in frames or in a broken stream") {
  std::mt19937 random(1);
  Bytes buffer(4 + 300);
  for (int round = 0; round < 20'000; ++round) {
    QemuStreamDecoder decoder(buffer);
    Bytes stream;
    for (unsigned i = 0; i < 8; ++i) append(stream, frame_of(1 + random() % 300, i));
    if (random() % 2 != 0) stream[random() % stream.size()] ^= static_cast<std::uint8_t>(1 << random() % 8);
    const auto frames = decode(decoder, stream, 1 + random() % 700);
    std::size_t bytes = 0;
    for (const auto& frame : frames) bytes += 4 + frame.size();
    CHECK(bytes <= stream.size());
    if (!decoder.broken() && !decoder.within_frame()) CHECK(bytes == stream.size());
  }
}
